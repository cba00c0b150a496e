// A log whose lines a test reads.
#pragma once

#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/mutex.hpp"

namespace triggerd::test {

class CaptureLog final : public Log {
 public:
  struct Line {
    LogLevel level;
    std::string event;
    std::string text;
  };

  bool enabled(LogLevel) const override { return true; }
  void write(LogLevel level, std::string_view event, LogFields, std::string_view text) override {
    MutexLock lock(mutex_);
    lines_.push_back({level, std::string(event), std::string(text)});
  }

  // Those with this event name, oldest first.
  std::vector<Line> lines(std::string_view event) const {
    MutexLock lock(mutex_);
    std::vector<Line> found;
    for (const Line& line : lines_) {
      if (line.event == event) found.push_back(line);
    }
    return found;
  }
  std::size_t count(std::string_view event) const { return lines(event).size(); }
  // The text of the newest one; empty where there is none.
  std::string last(std::string_view event) const {
    const auto found = lines(event);
    return found.empty() ? std::string() : found.back().text;
  }

 private:
  mutable Mutex mutex_;
  std::vector<Line> lines_ TRIGGERD_GUARDED_BY(mutex_);
};

}  // namespace triggerd::test
