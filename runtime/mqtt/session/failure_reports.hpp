// Tells why there is no connection, without repeating itself: the same reason again and again is
// one warning, and then one every few minutes; in between it is a debug line. Belongs to the
// supervisor.
#pragma once

#include <string>

#include "base/clock.hpp"
#include "mqtt/session/connection_log.hpp"

namespace triggerd::mqtt {

class FailureReports {
 public:
  explicit FailureReports(const ConnectionLog& log) : log_(log) {}

  // `delay`: when the next attempt comes.
  void failed(const std::string& why, Millis delay, Monotonic now);
  void connected() { last_.clear(); }

 private:
  const ConnectionLog& log_;
  std::string last_;   // empty: it was connected since
  Monotonic told_{};   // when it was a warning last
  Monotonic since_{};  // when the failures in a row began
};

}  // namespace triggerd::mqtt
