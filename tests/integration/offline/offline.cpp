// What `triggerctl plugin run` is tried with: the service "do" does what the payload says, "other"
// nothing.
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>
#include <trigger/plugin.hpp>

namespace {

class Do {
 public:
  explicit Do(const trigger::Context& context)
      : context_(context),
        greeting_(context.settings().text("greeting.text", "hello")),
        calls_(context.counter("calls_total", "Calls")) {
    context.settings().require_known({"greeting.text", "fail_start"});
    fail_start_ = context.settings().boolean("fail_start", false);
  }

  void start() {
    if (fail_start_) throw std::runtime_error("the database is away");
  }

  trigger::Verdict handle(const trigger::Message& message) {
    calls_.add();
    const std::string what(message.payload());
    if (what == "retry") return trigger::Verdict::retry(std::chrono::seconds(5), "not now");
    if (what == "reject") return trigger::Verdict::reject("never");
    if (what == "throw") throw std::runtime_error("thrown");
    if (what == "publish") return publish(message);
    if (what == "tell") return tell(message);
    if (what == "never") {
      static auto* const kept = new trigger::Completion(message.completion());
      return kept == nullptr ? trigger::Verdict::ok() : trigger::Verdict::pending();
    }
    if (what == "hang") std::this_thread::sleep_for(std::chrono::hours(1));
    if (what == "abort") std::abort();
    if (what == "exit") std::exit(3);
    return trigger::Verdict::ok();
  }

 private:
  trigger::Verdict publish(const trigger::Message& message) {
    trigger::Properties properties;
    properties.content_type("text/plain").user("to", "you");
    trigger::Publish request{"answers", greeting_};
    request.alias = "other";
    request.set(properties);
    const std::int32_t sent = context_.publish(
        request,
        [completion = message.completion()](std::int32_t code, std::string_view reason) mutable {
          completion.complete(trigger::Verdict::from_publish(code, reason));
        });
    return sent == TRIGGER_OK ? trigger::Verdict::pending() : trigger::Verdict::from_publish(sent);
  }

  trigger::Verdict tell(const trigger::Message& message) {
    context_.info(std::string(message.topic()) + ", QoS " + std::to_string(message.qos()) +
                  (message.retained() ? ", retained" : "") + ", attempt " +
                  std::to_string(message.attempt()));
    context_.warn("property k is " + std::string(message.user_property("k").value_or("not there")));
    return trigger::Verdict::ok();
  }

  const trigger::Context context_;
  const std::string greeting_;
  const trigger::Metric calls_;
  bool fail_start_ = false;
};

class Other {
 public:
  explicit Other(const trigger::Context&) {}
  trigger::Verdict handle(const trigger::Message&) { return trigger::Verdict::ok(); }
};

}  // namespace

TRIGGER_PLUGIN("offline", "2.1.0", trigger::service<Do>("do"), trigger::service<Other>("other"));
