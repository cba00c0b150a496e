// What a service says about a message. Included by trigger/plugin.hpp.
#ifndef TRIGGER_CPP_VERDICT_HPP
#define TRIGGER_CPP_VERDICT_HPP

#include <trigger/plugin.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <trigger/cpp/text.hpp>
#include <utility>

namespace trigger {

// One of the host's TRIGGER_E_... codes in words.
inline std::string_view describe(std::int32_t code) noexcept {
  switch (code) {
    case TRIGGER_OK:
      return "it was done";
    case TRIGGER_E_INVALID:
      return "an argument is wrong";
    case TRIGGER_E_STALE:
      return "that attempt is over";
    case TRIGGER_E_FULL:
      return "too much is in flight";
    case TRIGGER_E_NOT_CONNECTED:
      return "the alias has no connection now";
    case TRIGGER_E_NOT_FOUND:
      return "there is no alias of that name";
    case TRIGGER_E_STATE:
      return "the instance is not started";
    case TRIGGER_E_CANCELLED:
      return "the instance stopped before the answer came";
    case TRIGGER_E_UNSUPPORTED:
      return "this runtime cannot do that";
    default:
      return "it failed";
  }
}

class Verdict {
 public:
  // Finished.
  static Verdict ok() noexcept { return Verdict(TRIGGER_OK, 0, {}); }

  // Try again, after the trigger's own backoff.
  static Verdict retry(std::string reason = {}) noexcept {
    return Verdict(TRIGGER_RETRY, 0, std::move(reason));
  }
  // Try again, after `delay`; 0 or less is the trigger's own backoff.
  static Verdict retry(std::chrono::milliseconds delay, std::string reason = {}) noexcept {
    constexpr std::int64_t most = std::numeric_limits<std::uint32_t>::max();
    const auto ms = std::clamp<std::int64_t>(delay.count(), 0, most);
    return Verdict(TRIGGER_RETRY, static_cast<std::uint32_t>(ms), std::move(reason));
  }

  // Something that the service needs is unavailable, and nothing is wrong with the message: this
  // does not count as an attempt. The trigger waits, tries one message after its own backoff, and
  // resumes once one gets ok or retry. A runtime of ABI 1.0 counts it as a retry.
  static Verdict unavailable(std::string reason) noexcept {
    return Verdict(TRIGGER_UNAVAILABLE, 0, std::move(reason));
  }
  // The same, but the next message is tried after `delay`; 0 or less is the trigger's own backoff.
  static Verdict unavailable(std::chrono::milliseconds delay, std::string reason) noexcept {
    Verdict verdict = retry(delay, std::move(reason));
    verdict.code_ = TRIGGER_UNAVAILABLE;
    return verdict;
  }

  // A dead letter at once. The reason is for the person who reads it there.
  static Verdict reject(std::string reason) noexcept {
    return Verdict(TRIGGER_REJECT, 0, std::move(reason));
  }

  // The verdict comes later, through the message's Completion.
  static Verdict pending() noexcept { return Verdict(TRIGGER_PENDING, 0, {}); }

  // The verdict on a message whose handling was a publish that ended with `code`: without a
  // connection it is unavailable, as it is with too much in flight; other errors that may go away
  // are a retry, those that cannot are a reject.
  static Verdict from_publish(std::int32_t code, std::string_view reason = {}) {
    if (code == TRIGGER_OK) return ok();
    std::string text = "not published: ";
    text += reason.empty() ? describe(code) : reason;
    const bool hopeless =
        code == TRIGGER_E_INVALID || code == TRIGGER_E_NOT_FOUND || code == TRIGGER_E_UNSUPPORTED;
    if (hopeless) return reject(std::move(text));
    if (code == TRIGGER_E_NOT_CONNECTED) return unavailable(std::move(text));
    // Acknowledgements soon make room.
    constexpr std::chrono::milliseconds full(100);
    return code == TRIGGER_E_FULL ? unavailable(full, std::move(text)) : retry(std::move(text));
  }

  // This verdict, or the one that stands for it in a host of ABI 1.`abi_minor`.
  Verdict known_to(std::uint32_t abi_minor) && noexcept {
    if (code_ == TRIGGER_UNAVAILABLE && abi_minor < 1) code_ = TRIGGER_RETRY;
    return std::move(*this);
  }

  std::int32_t code() const noexcept { return code_; }
  std::uint32_t retry_after_ms() const noexcept { return retry_after_ms_; }
  const std::string& reason() const noexcept { return reason_; }

 private:
  Verdict(std::int32_t code, std::uint32_t retry_after_ms, std::string reason) noexcept
      : code_(code), retry_after_ms_(retry_after_ms), reason_(std::move(reason)) {}

  std::int32_t code_;
  std::uint32_t retry_after_ms_;
  std::string reason_;
};

namespace detail {

inline void write_verdict(trigger_result& result, const Verdict& verdict) noexcept {
  result.code = verdict.code();
  result.retry_after_ms = verdict.retry_after_ms();
  write_reason(result, verdict.reason());
}

}  // namespace detail
}  // namespace trigger

#endif  // TRIGGER_CPP_VERDICT_HPP
