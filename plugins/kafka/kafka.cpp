// kafka: writes each message to a topic of Apache Kafka. A message is ok once all in-sync replicas
// of its partition have it.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <mutex>
#include <string>
#include <trigger/plugin.hpp>
#include <unordered_set>
#include <utility>

#include "producer.hpp"
#include "record.hpp"
#include "settings.hpp"

namespace kafka {
namespace {

using trigger::Message;
using trigger::Verdict;

// The topics that messages have named: librdkafka and the brokers keep each for long, and whoever
// publishes decides about the names.
class Topics {
 public:
  explicit Topics(const Settings& settings)
      : limited_(!settings.topic.is_the_same_for_all()), most_(settings.max_topics) {}

  bool has_room_for(const std::string& topic) {
    if (!limited_) return true;
    const std::lock_guard lock(mutex_);
    if (known_.count(topic) != 0) return true;
    if (known_.size() >= most_) return false;
    known_.insert(topic);
    return true;
  }

 private:
  const bool limited_;
  const std::size_t most_;
  std::mutex mutex_;
  std::unordered_set<std::string> known_;  // protected by mutex_
};

class Kafka {
 public:
  static constexpr bool concurrent = true;

  explicit Kafka(const trigger::Context& context)
      : context_(context),
        settings_(read_settings(context)),
        topics_(settings_),
        producer_(settings_, context) {}

  void start() { producer_.start(); }
  void stop() { producer_.stop(); }

  Verdict handle(const Message& message) { return produce(message, context_.monotonic()); }

  void handle_batch(trigger::Batch& batch) {
    const auto now = context_.monotonic();
    for (std::size_t i = 0; i < batch.size(); ++i) batch.answer(i, produce(batch[i], now));
  }

  void probe() {
    constexpr std::chrono::milliseconds most(5000);
    producer_.ask(std::min(settings_.timeout, most));
  }

 private:
  Verdict produce(const Message& message, std::chrono::steady_clock::time_point now) {
    Made made = make_record(settings_, message);
    if (!made.record) return Verdict::reject(std::move(made.problem));
    if (!topics_.has_room_for(made.record->topic)) {
      return Verdict::reject("the topic \"" + made.record->topic + "\" would be one more than " +
                             std::to_string(settings_.max_topics) + " (max_topics)");
    }
    wait_long_enough(message, now);
    return producer_.produce(*made.record, message);
  }

  // librdkafka tries for timeout_seconds, and cannot be told to give up one message. If the runtime
  // gave up before it, the next attempt would be another copy.
  void wait_long_enough(const Message& message, std::chrono::steady_clock::time_point now) const {
    // librdkafka looks at its timeouts once a second, and a request may be under way by then.
    constexpr std::chrono::seconds slack(5);
    constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
    const std::uint64_t ns = std::min(message.raw().deadline_mono_ns, most);
    const std::chrono::steady_clock::time_point deadline(
        std::chrono::nanoseconds(static_cast<std::int64_t>(ns)));
    const auto wanted = settings_.timeout + slack;
    if (deadline < now + wanted) message.extend(wanted);
  }

  const trigger::Context context_;
  const Settings settings_;
  Topics topics_;
  Producer producer_;
};

}  // namespace
}  // namespace kafka

TRIGGER_PLUGIN("kafka", "1.0.0", trigger::service<kafka::Kafka>("kafka"));
