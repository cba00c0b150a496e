// Services for brief_test.cpp. "quick" says that it is brief, "plain" does not; else they are the
// same. A message is handled at once, and the payload says what else is done:
//
//   "sleep"    takes 50 ms
//   "hang"     never returns
//   "crash"    ends the process
//   "publish"  publishes its topic to "out", and is ok once that is with the server
//   "reject"   is rejected
//   "suspend"  is a retry
//
// "quick" appends "TOPIC THREAD" for each call to its file when it stops, THREAD being the number
// that the system has for the thread.
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <trigger/plugin.hpp>
#include <vector>

namespace {

class Plain {
 public:
  explicit Plain(const trigger::Context& context)
      : context_(context), file_(context.settings().text("file")) {}

  trigger::Verdict handle(const trigger::Message& message) {
    {
      const std::lock_guard lock(mutex_);
      calls_.push_back(std::string(message.topic()) + " " + std::to_string(::syscall(SYS_gettid)) +
                       "\n");
    }
    const std::string_view payload = message.payload();
    if (payload == "sleep") std::this_thread::sleep_for(std::chrono::milliseconds(50));
    while (payload == "hang") std::this_thread::sleep_for(std::chrono::hours(1));
    if (payload == "crash") std::raise(SIGSEGV);
    if (payload == "reject") return trigger::Verdict::reject("not to my taste");
    if (payload == "suspend") return trigger::Verdict::retry("not now");
    if (payload == "publish") return publish(message);
    return trigger::Verdict::ok();
  }

  void stop() {
    const std::lock_guard lock(mutex_);
    std::ofstream file(file_, std::ios::app);
    for (const std::string& call : calls_) file << call;
    calls_.clear();
  }

 private:
  trigger::Verdict publish(const trigger::Message& message) {
    const std::int32_t code = context_.publish(
        {"out", message.topic()},
        [completion = message.completion()](std::int32_t result, std::string_view reason) mutable {
          completion.complete(trigger::Verdict::from_publish(result, reason));
        });
    if (code != TRIGGER_OK) return trigger::Verdict::from_publish(code);
    return trigger::Verdict::pending();
  }

  const trigger::Context context_;
  const std::string file_;
  std::mutex mutex_;
  std::vector<std::string> calls_;
};

class Quick : public Plain {
 public:
  static constexpr bool brief = true;
  using Plain::Plain;
};

}  // namespace

TRIGGER_PLUGIN("brief", "1.0.0", trigger::service<Quick>("quick"),
               trigger::service<Plain>("plain"));
