// http-forward: delivers each message to an application over HTTP, as a CloudEvent or plain. The
// application's answer is the message's verdict.
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <trigger/plugin.hpp>
#include <utility>
#include <vector>

#include "batcher.hpp"
#include "client.hpp"
#include "common/topic_template.hpp"
#include "outcome.hpp"
#include "request.hpp"
#include "settings.hpp"

namespace http_forward {
namespace {

using trigger::Completion;
using trigger::Message;
using trigger::Verdict;

// Publishes the application's answer; the message is ok once the server has it.
void publish_answer(const trigger::Context& context, const Reply& reply, const std::string& topic,
                    const Message& message, const Outcome& outcome, Completion completion) {
  // Properties are for an alias of MQTT 5: that of the message is one when the message has some.
  std::vector<trigger_property> properties;
  const bool mqtt5 = (message.raw().flags & TRIGGER_MESSAGE_MQTT5) != 0;
  if (mqtt5 && reply.alias.empty()) {
    const auto add = [&properties](std::uint32_t id, std::string_view value) {
      properties.push_back({id, 0, 0, {nullptr, 0}, trigger::detail::bytes_to_abi(value)});
    };
    using plugin_common::correlation_data_property;
    const auto correlation = plugin_common::property_of(message, correlation_data_property);
    if (correlation) add(correlation_data_property, *correlation);
    if (!outcome.content_type.empty()) {
      add(plugin_common::content_type_property, outcome.content_type);
    }
  }
  // For both: if nothing was sent, the verdict is given here.
  const auto owner = std::make_shared<Completion>(std::move(completion));
  const trigger::Publish publish{topic,       outcome.body,      reply.qos,        reply.retain,
                                 reply.alias, properties.data(), properties.size()};
  const std::int32_t code =
      context.publish(publish, [owner](std::int32_t result, std::string_view reason) {
        owner->complete(Verdict::from_publish(result, reason));
      });
  if (code != TRIGGER_OK) owner->complete(Verdict::from_publish(code));
}

// One message in its own request.
class Forwarding : public Exchange {
 public:
  Forwarding(const trigger::Context& context, const Settings& settings, const Message& message,
             std::string url, std::optional<std::string> answer_topic)
      : Exchange(Kind::forward, content_of(settings, message, std::move(url)),
                 deadline_of(message)),
        context_(context),
        settings_(settings),
        message_(message),
        completion_(message.completion()),
        answer_topic_(std::move(answer_topic)) {}

  void finished(const Outcome& outcome) override {
    const Verdict verdict = verdict_of(outcome, settings_, std::chrono::system_clock::now());
    if (verdict.code() != TRIGGER_OK || !answer_topic_ || outcome.body.empty()) {
      completion_.complete(verdict);
    } else if (outcome.body_is_cut) {
      completion_.complete(Verdict::reject(
          "the answer from " + shown(settings_.url) + " was not published: it has more than " +
          std::to_string(settings_.max_response) + " bytes (max_response_bytes)"));
    } else {
      publish_answer(context_, *settings_.reply, *answer_topic_, message_, outcome,
                     std::move(completion_));
    }
  }

 private:
  static Content content_of(const Settings& settings, const Message& message, std::string url) {
    Content content = make_content(settings, message);
    content.url = std::move(url);
    return content;
  }

  const trigger::Context& context_;
  const Settings& settings_;
  const Message message_;
  Completion completion_;
  const std::optional<std::string> answer_topic_;
};

// Somebody waits for the outcome of a probe.
class Waiter {
 public:
  void tell(const Outcome& outcome) {
    const std::lock_guard lock(mutex_);
    outcome_ = outcome;
    changed_.notify_all();
  }
  std::optional<Outcome> wait_until(std::chrono::steady_clock::time_point end) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, end, [this] { return outcome_.has_value(); });
    return outcome_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Outcome> outcome_;  // protected by mutex_
};

class Probe : public Exchange {
 public:
  Probe(std::shared_ptr<Waiter> waiter, std::chrono::steady_clock::time_point until)
      : Exchange(Kind::probe, {}, until), waiter_(std::move(waiter)) {}
  void finished(const Outcome& outcome) override { waiter_->tell(outcome); }

 private:
  const std::shared_ptr<Waiter> waiter_;
};

// It has no handle_batch, though it makes batches: `concurrency` counts calls, each of up to 256
// messages then, and users are promised that it counts requests.
class HttpForward {
 public:
  static constexpr bool concurrent = true;

  explicit HttpForward(const trigger::Context& context)
      : context_(context),
        settings_(read_settings(context)),
        client_(settings_, context),
        batcher_(settings_, client_) {}

  void start() { client_.start(); }

  void stop() {
    for (auto& exchange : client_.stop()) left_.push_back(std::move(exchange));
    for (Item& item : batcher_.clear()) left_items_.push_back(std::move(item));
  }

  Verdict handle(const Message& message) {
    auto url = url_for(settings_, message);
    if (!url.text) return Verdict::reject("url does not fit this message: " + url.problem);
    if (settings_.mode != Mode::batch) return forward(message, std::move(*url.text));
    batcher_.add(item_of(message));
    return Verdict::pending();
  }

  // Whether the application answers: 2xx on probe_url, and without one anything but "not now".
  void probe() {
    constexpr std::chrono::seconds most(5);
    constexpr std::chrono::milliseconds slack(500);
    const auto limit = settings_.timeout
                           ? std::min<std::chrono::milliseconds>(*settings_.timeout, most)
                           : std::chrono::milliseconds(most);
    const auto end = std::chrono::steady_clock::now() + limit;
    const auto waiter = std::make_shared<Waiter>();
    client_.submit(std::make_unique<Probe>(waiter, end));
    const std::optional<Outcome> outcome = waiter->wait_until(end + slack);
    const bool own_url = !settings_.probe_url.empty();
    const std::string where = shown(own_url ? settings_.probe_url : settings_.server_url());
    if (!outcome) throw std::runtime_error("no answer from " + where + " in time");
    const int status = outcome->status;
    if (status == 0) throw std::runtime_error("no answer from " + where + ": " + outcome->problem);
    const bool well = own_url ? status >= 200 && status < 300 : status < 500 && status != 429;
    if (!well) throw std::runtime_error(where + " answered " + std::to_string(status));
  }

 private:
  Verdict forward(const Message& message, std::string url) {
    std::optional<std::string> answer_topic;
    if (settings_.reply) {
      auto topic = settings_.reply->topic.expand(message);
      if (topic.text) topic.problem = plugin_common::topic_problem(*topic.text);
      // Without a response topic, for example, nobody is waiting for an answer.
      if (!topic.problem.empty() && !topic.lacks_optional) {
        return Verdict::reject("reply_topic does not fit this message: " + topic.problem);
      }
      answer_topic = std::move(topic.text);
    }
    client_.submit(std::make_unique<Forwarding>(context_, settings_, message, std::move(url),
                                                std::move(answer_topic)));
    return Verdict::pending();
  }

  Item item_of(const Message& message) const {
    return {message, message.completion(), json_event(settings_, message)};
  }

  const trigger::Context context_;
  const Settings settings_;
  Client client_;
  Batcher batcher_;

  // Exchanges that a stop has interrupted. The runtime takes their messages back by itself, which
  // does not count as an attempt; destroying a Completion while the instance is started would count
  // as one. So they are kept until the end.
  std::vector<std::unique_ptr<Exchange>> left_;
  std::vector<Item> left_items_;
};

}  // namespace
}  // namespace http_forward

TRIGGER_PLUGIN("http-forward", "1.0.0",
               trigger::service<http_forward::HttpForward>("http-forward"));
