// The host that a service under test sees. Included by trigger/testing.hpp.
#ifndef TRIGGER_TESTING_HOST_HPP
#define TRIGGER_TESTING_HOST_HPP

#include <trigger/plugin.h>
#include <trigger/testing/rules.h>

#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <trigger/testing/clock.hpp>
#include <trigger/testing/message.hpp>
#include <utility>
#include <vector>

namespace trigger {
namespace testing {

// A verdict, or what another function of the service returned. While an attempt is pending, its
// code is TRIGGER_PENDING.
struct Answer {
  std::int32_t code = TRIGGER_PENDING;
  std::uint32_t retry_after_ms = 0;
  std::string reason = {};
};

struct LogLine {
  std::uint32_t level;  // TRIGGER_LOG_...
  std::string text;
};

// A message that the service published.
struct Published {
  std::string alias;
  std::string topic;
  std::string payload;
  std::uint32_t qos;
  bool retain;
  std::vector<Property> properties;
  bool wants_result;  // it was published with a `done`
};

namespace detail {

inline Answer answer_of(std::int32_t code, const trigger_result& result) {
  return {code, result.retry_after_ms, std::string(result.reason)};
}

// One attempt at a message. Protected by its host's mutex.
struct AttemptRecord {
  std::unique_ptr<MessageMemory> memory;
  bool returned = false;  // from handle
  bool over = false;      // its verdict is known
  Answer answer;
  std::uint32_t extended_ms = 0;
  std::uint64_t deadline_mono_ns = 0;
};

// All of it may be called from any thread, as the host's functions may.
class RecordingHost {
 public:
  enum class For { plugin, instance };

  explicit RecordingHost(std::uint32_t log_level, For whom = For::instance)
      : log_level_(log_level), of_an_instance_(whom == For::instance) {
    table_.struct_size = sizeof(table_);
    table_.abi_major = TRIGGER_ABI_MAJOR;
    table_.abi_minor = TRIGGER_ABI_MINOR;
    table_.ctx = this;
    table_.complete = [](void* ctx, std::uint64_t token, const trigger_result* result) {
      return self(ctx).complete(token, result);
    };
    table_.extend = [](void* ctx, std::uint64_t token, std::uint32_t ms) {
      return self(ctx).extend(token, ms);
    };
    table_.publish = [](void* ctx, const trigger_publish* request) {
      return self(ctx).publish(request);
    };
    table_.log_enabled = [](void* ctx, std::uint32_t level) {
      return level >= self(ctx).log_level_ ? 1 : 0;
    };
    table_.log = [](void* ctx, std::uint32_t level, trigger_str text) {
      self(ctx).log(level, text);
    };
    table_.metric = [](void* ctx, trigger_str name, std::uint32_t kind, trigger_str help,
                       std::uint64_t* id) { return self(ctx).metric(name, kind, help, id); };
    table_.metric_add = [](void* ctx, std::uint64_t id, double value) {
      return self(ctx).metric_add(id, value);
    };
    table_.extension = [](void* ctx, const char* id) { return self(ctx).extension(id); };
  }
  RecordingHost(const RecordingHost&) = delete;
  RecordingHost& operator=(const RecordingHost&) = delete;

  const trigger_host& table() const noexcept { return table_; }

  // ---- attempts

  std::shared_ptr<AttemptRecord> open(Message content, std::string trigger) {
    const std::lock_guard lock(mutex_);
    graveyard_.clear();
    const std::uint64_t token = ++last_token_;
    if (content.id.empty()) content.id = "test-" + std::to_string(token);
    auto record = std::make_shared<AttemptRecord>();
    record->memory =
        std::make_unique<MessageMemory>(std::move(content), std::move(trigger), token, clock_);
    record->deadline_mono_ns = record->memory->raw().deadline_mono_ns;
    attempts_.emplace(token, record);
    return record;
  }

  // handle has returned `answer`.
  void returned(AttemptRecord& record, const Answer& answer) {
    const std::lock_guard lock(mutex_);
    record.returned = true;
    if (answer.code != TRIGGER_PENDING) {
      if (record.over) violation("an attempt was completed, but handle did not return PENDING");
      finish(record, answer);
    }
    if (record.over) bury(record);
  }

  // Its deadline has passed. The message stays valid: the service may still be using it.
  void expire(AttemptRecord& record) {
    const std::lock_guard lock(mutex_);
    finish(record, expired());
  }

  // Moves the clock, and lets the deadlines expire that this reaches.
  void advance(std::chrono::nanoseconds by) {
    const std::lock_guard lock(mutex_);
    clock_.advance(by);
    for (auto& [token, record] : attempts_) {
      if (record->deadline_mono_ns <= clock_.mono_ns()) finish(*record, expired());
    }
  }

  Answer answer(const AttemptRecord& record) {
    const std::lock_guard lock(mutex_);
    return record.answer;
  }

  // Waits until the attempt's verdict is known; throws std::runtime_error after `limit`.
  Answer wait(const AttemptRecord& record, std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, limit, [&record] { return record.over; })) {
      throw std::runtime_error("no verdict came");
    }
    return record.answer;
  }

  std::uint32_t extended_ms(const AttemptRecord& record) {
    const std::lock_guard lock(mutex_);
    return record.extended_ms;
  }

  // ---- state

  // Before start is called.
  void set_started(bool started) { set_state(started ? State::started : State::not_started); }

  // start has failed: cancels what it has published.
  void start_failed() {
    set_state(State::stopping);
    finish_publishes(TRIGGER_E_CANCELLED, "the instance stops");
    set_state(State::not_started);
  }

  // Before stop is called, in the runtime's order: revokes what is pending, refuses new publishes
  // and cancels those under way. A service that completes a revoked attempt gets TRIGGER_E_STALE;
  // its message stays valid until then, or until stopped().
  void stopping() {
    {
      const std::lock_guard lock(mutex_);
      revoke();
      state_ = State::stopping;
    }
    finish_publishes(TRIGGER_E_CANCELLED, "the instance stops");
  }

  // stop has returned: frees the messages that are left.
  void stopped() {
    const std::lock_guard lock(mutex_);
    state_ = State::not_started;
    revoke();
    for (auto& [token, record] : attempts_) record->memory.reset();
    attempts_.clear();
    graveyard_.clear();
  }

  // ---- publishes

  void refuse_publishes(std::int32_t code) {
    const std::lock_guard lock(mutex_);
    refusal_ = code;
  }

  std::vector<Published> publishes() {
    const std::lock_guard lock(mutex_);
    std::vector<Published> all;
    for (const Pending& pending : publishes_) all.push_back(pending.message);
    return all;
  }

  // Waits until there are `count`; throws std::runtime_error after `limit`.
  void wait_publishes(std::size_t count, std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, limit, [&] { return publishes_.size() >= count; })) {
      throw std::runtime_error("the publish did not come");
    }
  }

  // Reports the result of publish number `index` to the service, on a separate thread.
  void finish_publish(std::size_t index, std::int32_t code, std::string_view reason) {
    trigger_publish_done done = nullptr;
    void* user = nullptr;
    {
      const std::lock_guard lock(mutex_);
      graveyard_.clear();
      if (index >= publishes_.size()) throw std::logic_error("there is no such publish");
      if (publishes_[index].finished) throw std::logic_error("that publish is finished");
      publishes_[index].finished = true;
      done = publishes_[index].done;
      user = publishes_[index].user;
    }
    if (done == nullptr) return;
    const std::string text(reason);
    std::thread([&] { done(user, code, to_abi(text)); }).join();
  }

  // The same for all that are not finished.
  void finish_publishes(std::int32_t code, std::string_view reason) {
    for (std::size_t i = 0;; ++i) {
      {
        const std::lock_guard lock(mutex_);
        if (i >= publishes_.size()) return;
        if (publishes_[i].finished) continue;
      }
      finish_publish(i, code, reason);
    }
  }

  // ---- extensions

  // From now on extension(`id`) returns `what`.
  void offer(std::string id, const void* what) {
    const std::lock_guard lock(mutex_);
    extensions_[std::move(id)] = what;
  }

  // ---- what was seen

  std::vector<LogLine> log_lines() {
    const std::lock_guard lock(mutex_);
    return log_;
  }

  std::optional<double> metric_value(std::string_view name) {
    const std::lock_guard lock(mutex_);
    for (const Metric& metric : metrics_) {
      if (metric.name == name) return metric.value;
    }
    return std::nullopt;
  }

  std::vector<std::string> violations() {
    const std::lock_guard lock(mutex_);
    return violations_;
  }

 private:
  struct Pending {
    Published message;
    trigger_publish_done done;
    void* user;
    bool finished;
  };
  // As far as the host's functions differ. TRIGGER_E_STATE is the service's mistake only where it
  // is not started: in the others, a thread of the service cannot know that a stop has begun.
  enum class State { not_started, started, stopping };
  struct Metric {
    std::string name;
    std::uint32_t kind;
    double value;
  };

  static RecordingHost& self(void* ctx) noexcept { return *static_cast<RecordingHost*>(ctx); }

  void set_state(State state) {
    const std::lock_guard lock(mutex_);
    state_ = state;
  }

  // The private functions below that take no lock need mutex_ to be held.

  static Answer expired() { return {TRIGGER_RETRY, 0, "its deadline has passed"}; }

  void violation(const char* what) { violations_.emplace_back(what); }

  void finish(AttemptRecord& record, const Answer& answer) {
    if (record.over) return;
    record.over = true;
    record.answer = answer;
    changed_.notify_all();
  }

  void revoke() {
    for (auto& [token, record] : attempts_) {
      finish(*record, {TRIGGER_RETRY, 0, "revoked: the instance stopped"});
    }
  }

  // The message may be freed, but not before complete() has returned: a later call does it.
  void bury(AttemptRecord& record) {
    attempts_.erase(record.memory->raw().token);
    graveyard_.push_back(std::move(record.memory));
  }

  std::int32_t complete(std::uint64_t token, const trigger_result* result) {
    const std::lock_guard lock(mutex_);
    if (state_ == State::not_started) {
      violation("complete was called when the instance was not started");
      return TRIGGER_E_STATE;
    }
    if (trigger_test_is_result(result) == 0) {
      violation("complete was called without a result, or with a struct_size that is too small");
      return TRIGGER_E_INVALID;
    }
    if (trigger_test_is_verdict(result->code) == 0) {
      violation("complete was called with a code that is not a final verdict");
      return TRIGGER_E_INVALID;
    }
    const auto found = attempts_.find(token);
    if (found == attempts_.end()) return TRIGGER_E_STALE;
    const std::shared_ptr<AttemptRecord> record = found->second;
    const bool stale = record->over;
    finish(*record, answer_of(result->code, *result));
    if (record->returned) bury(*record);
    return stale ? TRIGGER_E_STALE : TRIGGER_OK;
  }

  std::int32_t extend(std::uint64_t token, std::uint32_t ms) {
    const std::lock_guard lock(mutex_);
    if (state_ == State::not_started) {
      violation("extend was called when the instance was not started");
      return TRIGGER_E_STATE;
    }
    const auto found = attempts_.find(token);
    if (found == attempts_.end() || found->second->over) return TRIGGER_E_STALE;
    found->second->extended_ms = ms;
    found->second->deadline_mono_ns = clock_.mono_ns() + std::uint64_t{ms} * 1'000'000;
    return TRIGGER_OK;
  }

  std::int32_t publish(const trigger_publish* given) {
    const std::lock_guard lock(mutex_);
    if (state_ == State::not_started) {
      violation("publish was called when the instance was not started");
    }
    if (state_ != State::started) return TRIGGER_E_STATE;
    if (trigger_test_check_publish(given) != TRIGGER_OK) return TRIGGER_E_INVALID;
    if (refusal_ != TRIGGER_OK) return refusal_;
    const trigger_publish& request = *given;
    Pending pending{{copy(request.alias),
                     copy(request.topic),
                     copy(request.payload),
                     request.qos,
                     (request.flags & TRIGGER_PUBLISH_RETAIN) != 0,
                     {},
                     request.done != nullptr},
                    request.done,
                    request.user,
                    false};
    for (std::size_t i = 0; i < request.property_count; ++i) {
      const trigger_property& property = request.properties[i];
      pending.message.properties.push_back(
          {property.id, property.number, copy(property.name), copy(property.value)});
    }
    publishes_.push_back(std::move(pending));
    changed_.notify_all();
    return TRIGGER_OK;
  }

  const void* extension(const char* id) {
    const std::lock_guard lock(mutex_);
    const auto found = extensions_.find(id);
    return found == extensions_.end() ? nullptr : found->second;
  }

  void log(std::uint32_t level, trigger_str text) {
    const std::lock_guard lock(mutex_);
    if (level >= log_level_) log_.push_back({level, copy(text)});
  }

  // An id is the metric's place, counted from 1: 0 is none.
  std::int32_t metric(trigger_str name, std::uint32_t kind, trigger_str help, std::uint64_t* id) {
    const std::lock_guard lock(mutex_);
    if (!of_an_instance_) return TRIGGER_E_STATE;
    if (trigger_test_check_metric(name, kind, help, id) != TRIGGER_OK) return TRIGGER_E_INVALID;
    const std::string wanted = copy(name);
    for (std::size_t i = 0; i < metrics_.size(); ++i) {
      if (metrics_[i].name != wanted) continue;
      if (metrics_[i].kind != kind) return TRIGGER_E_INVALID;
      *id = i + 1;
      return TRIGGER_OK;
    }
    if (metrics_.size() >= TRIGGER_TEST_METRICS) return TRIGGER_E_FULL;
    metrics_.push_back({wanted, kind, 0});
    *id = metrics_.size();
    return TRIGGER_OK;
  }

  std::int32_t metric_add(std::uint64_t id, double value) {
    const std::lock_guard lock(mutex_);
    if (!of_an_instance_) return TRIGGER_E_STATE;
    if (id == 0 || id > metrics_.size()) return TRIGGER_E_INVALID;
    Metric& metric = metrics_[static_cast<std::size_t>(id - 1)];
    if (!std::isfinite(value) || !std::isfinite(metric.value + value) ||
        (value < 0 && metric.kind == TRIGGER_METRIC_COUNTER)) {
      return TRIGGER_E_INVALID;
    }
    metric.value += value;
    return TRIGGER_OK;
  }

  // Constant after construction.
  trigger_host table_{};
  const std::uint32_t log_level_;
  const bool of_an_instance_;  // not the plugin's own, which only logs

  FakeClock clock_;  // any thread

  // Protected by mutex_.
  std::mutex mutex_;
  std::condition_variable changed_;
  State state_ = State::not_started;
  std::uint64_t last_token_ = 0;
  std::map<std::uint64_t, std::shared_ptr<AttemptRecord>> attempts_;  // with valid messages
  std::vector<std::unique_ptr<MessageMemory>> graveyard_;
  std::int32_t refusal_ = TRIGGER_OK;
  std::vector<Pending> publishes_;
  std::vector<LogLine> log_;
  std::vector<Metric> metrics_;
  std::vector<std::string> violations_;
  std::map<std::string, const void*, std::less<>> extensions_{{TRIGGER_CLOCK, &clock_.table()}};
};

}  // namespace detail
}  // namespace testing
}  // namespace trigger

#endif  // TRIGGER_TESTING_HOST_HPP
