// A message, and the right to give its verdict later. Included by trigger/plugin.hpp.
#ifndef TRIGGER_CPP_MESSAGE_HPP
#define TRIGGER_CPP_MESSAGE_HPP

#include <trigger/plugin.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <trigger/cpp/context.hpp>
#include <trigger/cpp/text.hpp>
#include <trigger/cpp/verdict.hpp>
#include <utility>
#include <vector>

namespace trigger {
namespace detail {

// One attempt at a message: makes sure that it gets one verdict, from handle or from a Completion,
// and that a Completion destroyed without one gives one. Any thread.
class Attempt {
 public:
  Attempt(std::shared_ptr<Link> link, std::uint64_t token) noexcept
      : link_(std::move(link)), token_(token) {}

  void take() {
    if (taken_.exchange(true)) {
      throw std::logic_error("the message's Completion was taken before: there is only one");
    }
  }

  // Gives the Completion's verdict. False: the attempt was over.
  bool complete(const Verdict& verdict) noexcept {
    return stage_.exchange(Stage::over) != Stage::over && tell(verdict);
  }

  // The Completion was destroyed without a verdict.
  void give_up() noexcept {
    Stage expected = Stage::handling;
    if (stage_.compare_exchange_strong(expected, Stage::given_up)) return;
    expected = Stage::pending;
    if (stage_.compare_exchange_strong(expected, Stage::over)) tell(forgotten());
  }

  // What to return to the host after the service's handle has returned `verdict`. If the Completion
  // was first, its verdict counts.
  Verdict settle(Verdict verdict) noexcept {
    if (verdict.code() != TRIGGER_PENDING) {
      if (stage_.exchange(Stage::over) == Stage::over) return Verdict::pending();
      const trigger_host* host = link_->host();
      return std::move(verdict).known_to(host == nullptr ? TRIGGER_ABI_MINOR : host->abi_minor);
    }
    if (!taken_) return Verdict::retry("the service returned pending but took no Completion");
    Stage expected = Stage::handling;
    if (stage_.compare_exchange_strong(expected, Stage::pending)) return verdict;
    return expected == Stage::given_up ? forgotten() : std::move(verdict);
  }

  bool extend(std::chrono::milliseconds from_now) const noexcept {
    const trigger_host* host = link_->host();
    if (host == nullptr || !link_->started()) return false;
    constexpr std::int64_t most = std::numeric_limits<std::uint32_t>::max();
    const auto ms = static_cast<std::uint32_t>(std::clamp<std::int64_t>(from_now.count(), 0, most));
    return host->extend(host->ctx, token_, ms) == TRIGGER_OK;
  }

 private:
  enum class Stage { handling, pending, given_up, over };

  static Verdict forgotten() noexcept {
    return Verdict::retry("the service dropped the message without a verdict");
  }

  bool tell(const Verdict& verdict) const noexcept {
    const trigger_host* host = link_->host();
    if (host == nullptr || !link_->started()) return false;
    trigger_result result{};
    result.struct_size = sizeof(result);
    write_verdict(result, Verdict(verdict).known_to(host->abi_minor));
    return host->complete(host->ctx, token_, &result) == TRIGGER_OK;
  }

  const std::shared_ptr<Link> link_;
  const std::uint64_t token_;
  std::atomic<Stage> stage_{Stage::handling};
  std::atomic<bool> taken_{false};
};

}  // namespace detail

// The right to give the verdict on one pending message, once, from any thread: a thread of the
// service's own, or the callback of a publish. Destroyed without having given one, it gives retry,
// so that no message is forgotten; after stop it does nothing. [any]
class Completion {
 public:
  explicit Completion(std::shared_ptr<detail::Attempt> attempt) noexcept
      : attempt_(std::move(attempt)) {}
  ~Completion() { give_up(); }
  Completion(Completion&& other) noexcept : attempt_(std::move(other.attempt_)) {}
  Completion& operator=(Completion&& other) noexcept {
    if (this != &other) {
      give_up();
      attempt_ = std::move(other.attempt_);
    }
    return *this;
  }
  Completion(const Completion&) = delete;
  Completion& operator=(const Completion&) = delete;

  // Gives the verdict: ok, retry, unavailable or reject. The message is not valid any more
  // afterwards. False: the attempt was over already (completed, past its deadline, revoked because
  // the instance stops), and the verdict does not count. Verdict::pending() is no verdict: it
  // returns false, and the Completion can still be used.
  bool complete(const Verdict& verdict) noexcept {
    if (!attempt_ || verdict.code() == TRIGGER_PENDING) return false;
    return std::exchange(attempt_, nullptr)->complete(verdict);
  }

  // Moves the deadline of the attempt to `from_now` after now. False: the attempt is over.
  bool extend(std::chrono::milliseconds from_now) const noexcept {
    return attempt_ && attempt_->extend(from_now);
  }

 private:
  void give_up() noexcept {
    if (attempt_) std::exchange(attempt_, nullptr)->give_up();
  }

  std::shared_ptr<detail::Attempt> attempt_;
};

// A received message. A view: it and its copies are valid until handle returns, and after
// Verdict::pending() until its Completion has given the verdict or stop has returned. [worker; any
// while pending]
class Message {
 public:
  Message(const trigger_message& message, std::shared_ptr<detail::Attempt> attempt) noexcept
      : message_(&message), attempt_(std::move(attempt)) {}

  std::string_view topic() const noexcept { return detail::view(message_->topic); }
  // The payload's bytes, whatever they are.
  std::string_view payload() const noexcept { return detail::view(message_->payload); }
  std::string_view trigger() const noexcept { return detail::view(message_->trigger); }
  // The same in all attempts, unique across runtimes.
  std::string_view id() const noexcept { return detail::view(message_->id); }
  std::uint32_t attempt() const noexcept { return message_->attempt; }  // 1 for the first
  std::uint32_t qos() const noexcept { return message_->qos; }
  bool retained() const noexcept { return (message_->flags & TRIGGER_MESSAGE_RETAIN) != 0; }
  bool duplicate() const noexcept { return (message_->flags & TRIGGER_MESSAGE_DUP) != 0; }

  std::chrono::system_clock::time_point received() const noexcept {
    using std::chrono::duration_cast;
    using Clock = std::chrono::system_clock;
    return Clock::time_point(
        duration_cast<Clock::duration>(std::chrono::nanoseconds(message_->received_unix_ns)));
  }

  // It came over MQTT 5: the following mean something.
  bool mqtt5() const noexcept { return (message_->flags & TRIGGER_MESSAGE_MQTT5) != 0; }
  // The first property with this id (TRIGGER_PROPERTY_...), or nullptr.
  const trigger_property* find_property(std::uint32_t id) const noexcept {
    return trigger_find_property(message_, id);
  }
  std::optional<std::string_view> content_type() const noexcept {
    return value_of(TRIGGER_PROPERTY_CONTENT_TYPE);
  }
  // A message that has it is a request: see Context::reply().
  std::optional<std::string_view> response_topic() const noexcept {
    return value_of(TRIGGER_PROPERTY_RESPONSE_TOPIC);
  }
  std::optional<std::string_view> correlation_data() const noexcept {
    return value_of(TRIGGER_PROPERTY_CORRELATION_DATA);
  }
  // The value of the first user property with this name.
  std::optional<std::string_view> user_property(std::string_view name) const noexcept {
    for (std::size_t i = 0; i < message_->property_count; ++i) {
      const trigger_property& property = message_->properties[i];
      if (property.id == TRIGGER_PROPERTY_USER && detail::view(property.name) == name) {
        return detail::view(property.value);
      }
    }
    return std::nullopt;
  }
  // All properties, as an array: their order and duplicates are those of the sender.
  const trigger_property* properties() const noexcept { return message_->properties; }
  std::size_t property_count() const noexcept { return message_->property_count; }

  // The message as in plugin.h, which also has its deadline.
  const trigger_message& raw() const noexcept { return *message_; }

  // Takes the right to give the verdict, for a service that is about to return Verdict::pending().
  // There is only one: a second call throws std::logic_error. If handle then returns something else
  // before the Completion has given a verdict, that counts, and the Completion has no effect.
  Completion completion() const {
    attempt_->take();
    return Completion(attempt_);
  }

  // Moves the deadline of this attempt to `from_now` after now. False: the attempt is over.
  bool extend(std::chrono::milliseconds from_now) const noexcept {
    return attempt_->extend(from_now);
  }

 private:
  std::optional<std::string_view> value_of(std::uint32_t id) const noexcept {
    const trigger_property* property = find_property(id);
    if (property == nullptr) return std::nullopt;
    return detail::view(property->value);
  }

  const trigger_message* message_;
  std::shared_ptr<detail::Attempt> attempt_;
};

namespace detail {

// An answer to a request, in memory that lives for the call of publish().
class Answer {
 public:
  // nullopt: it names no response topic.
  static std::optional<Answer> to(const Message& request, const Publish& answer) {
    const auto topic = request.response_topic();
    if (!topic) return std::nullopt;
    Answer made;
    made.publish_ = answer;
    made.publish_.topic = *topic;
    made.publish_.alias = {};
    made.properties_.assign(answer.properties, answer.properties + answer.property_count);
    const trigger_property* correlation = request.find_property(TRIGGER_PROPERTY_CORRELATION_DATA);
    if (correlation != nullptr) made.properties_.push_back(*correlation);
    return made;
  }
  const Publish& publish() {
    publish_.properties = properties_.data();
    publish_.property_count = properties_.size();
    return publish_;
  }

 private:
  Publish publish_;
  std::vector<trigger_property> properties_;
};

}  // namespace detail

inline std::int32_t Context::reply(const Message& request, const Publish& answer) const {
  auto made = detail::Answer::to(request, answer);
  return made ? publish(made->publish()) : TRIGGER_E_INVALID;
}

template <class Done>
std::int32_t Context::reply(const Message& request, const Publish& answer, Done&& done) const {
  auto made = detail::Answer::to(request, answer);
  return made ? publish(made->publish(), std::forward<Done>(done)) : TRIGGER_E_INVALID;
}

inline std::int32_t Context::reply(const Message& request, std::string_view payload) const {
  Publish answer;
  answer.payload = payload;
  return reply(request, answer);
}

template <class Done>
std::int32_t Context::reply(const Message& request, std::string_view payload, Done&& done) const {
  Publish answer;
  answer.payload = payload;
  return reply(request, answer, std::forward<Done>(done));
}

}  // namespace trigger

#endif  // TRIGGER_CPP_MESSAGE_HPP
