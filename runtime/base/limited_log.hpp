// A log in which repeated lines do not bury the rest.
//
// Lines are alike if they have the same event, level and fields, apart from fields that name a
// message. The first `at_once` of them are written as they come; after that, one line for each
// interval reports how many more there were and what the last one said, until there is an interval
// without any.
//
// Not limited are lines below info, since whoever asked for them wants all of them, and what a
// service logs. Only warnings and errors of a service are limited, where their texts are alike too.
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
  std::size_t max_kinds = 1'000;  // remembered at once; beyond them nothing is held back
};

// Thread-safe, as every log is: a lock of its own, and a thread once say_in_time() was called.
class LimitedLog final : public Log {
 public:
  LimitedLog(std::unique_ptr<Log> log, const Clock& clock, LogLimits limits = {});
  ~LimitedLog() override;  // reports what is still held back

  bool enabled(LogLevel level) const override { return log_->enabled(level); }
  void write(LogLevel level, std::string_view event, LogFields fields,
             std::string_view text) override;

  // Reports what was held back in intervals that are over. A write does so too.
  void say_due();
  // From now on a thread of its own does that in time; it starts when the first line is held back.
  // Needs the system's clock.
  void say_in_time();

 private:
  struct Kind {
    Monotonic ends{};
    std::size_t shown = 0;
    std::size_t held = 0;
    // Of the last line that was held back.
    LogLevel level = LogLevel::info;
    std::string event;
    std::vector<std::pair<std::string, std::string>> fields;
    std::string text;
  };

  // Whether the line is written now. If not, it was counted.
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
