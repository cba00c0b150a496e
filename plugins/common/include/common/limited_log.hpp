// The log, for what a plugin passes on from others, such as a command or a library: so many lines a
// second and no more.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <trigger/cpp/context.hpp>
#include <utility>

namespace plugin_common {

// Threads: one.
class LimitedLog {
 public:
  using Clock = std::chrono::steady_clock;

  // `whose` says of whom the lines are, for the line about those that were left out.
  LimitedLog(const trigger::Context& context, std::string whose)
      : context_(context), whose_(std::move(whose)) {}

  void say(trigger::Level level, std::string_view text) {
    if (!context_.log_enabled(level)) return;
    const Clock::time_point now = Clock::now();
    if (now - second_ >= std::chrono::seconds(1)) {
      tell_left_out();
      second_ = now;
      lines_ = 0;
    }
    if (++lines_ > most_lines) {
      ++left_out_;
    } else {
      context_.log(level, text);
    }
  }
  // When to call tell_in_time().
  Clock::time_point due() const {
    return left_out_ == 0 ? Clock::time_point::max() : second_ + std::chrono::seconds(1);
  }
  void tell_in_time() {
    if (Clock::now() >= due()) tell_left_out();
  }
  // How many lines did not get into the log since this was last said.
  void tell_left_out() {
    if (left_out_ == 0) return;
    context_.warn(std::to_string(left_out_) + " lines of " + whose_ +
                  " were left out: it wrote more than " + std::to_string(most_lines) +
                  " in a second");
    left_out_ = 0;
  }

 private:
  static constexpr std::size_t most_lines = 200;

  const trigger::Context context_;
  const std::string whose_;
  Clock::time_point second_{};
  std::size_t lines_ = 0;
  std::size_t left_out_ = 0;
};

}  // namespace plugin_common
