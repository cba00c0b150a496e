// A log in which what repeats does not bury the rest.
//
// Lines are alike that have the same event, level and fields, but for those that name a message. Of
// these the first `at_once` are written as they come; after that, one line for each interval says
// how many more there were, and what the last one said. An interval without any ends it.
//
// Not limited: what is below info, which somebody has asked for to see all of it, and what a
// service itself says; of its warnings and errors, those that are alike in their text as well are.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/mutex.hpp"

namespace triggerd {

struct LogLimits {
  std::size_t at_once = 20;
  Millis interval{10'000};
  std::size_t max_kinds = 1'000;  // kept in mind at once; beyond them nothing is held back
};

// Thread-safe, as every log.
class LimitedLog final : public Log {
 public:
  LimitedLog(std::unique_ptr<Log> log, const Clock& clock, LogLimits limits = {});
  ~LimitedLog() override;  // says what is still to be said

  bool enabled(LogLevel level) const override { return log_->enabled(level); }
  void write(LogLevel level, std::string_view event, LogFields fields,
             std::string_view text) override;

  // Says what was held back in intervals that are over. A write does so too.
  void say_due();
  // From now on a thread of its own says it in time; it begins with the first line held back. Needs
  // the system's clock.
  void say_in_time();

 private:
  struct Kind {
    Monotonic ends{};
    std::size_t shown = 0;
    std::size_t held = 0;
    // Of the last one that was held back.
    LogLevel level = LogLevel::info;
    std::string event;
    std::vector<std::pair<std::string, std::string>> fields;
    std::string text;
  };

  // Whether the line is to be written now; where not, it is counted.
  bool admit(LogLevel level, std::string_view event, LogFields fields, std::string_view text);
  void note_due(Monotonic when) TRIGGERD_REQUIRES(mutex_);
  void forget_finished(Monotonic now) TRIGGERD_REQUIRES(mutex_);
  void say(const Kind& kind);
  void run();

  const std::unique_ptr<Log> log_;
  const Clock& clock_;
  const LogLimits limits_;

  Mutex mutex_;
  CondVar changed_;
  std::map<std::string, Kind, std::less<>> kinds_ TRIGGERD_GUARDED_BY(mutex_);
  Monotonic due_ TRIGGERD_GUARDED_BY(mutex_) = Monotonic::max();
  bool may_start_ TRIGGERD_GUARDED_BY(mutex_) = false;
  bool ending_ TRIGGERD_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace triggerd
