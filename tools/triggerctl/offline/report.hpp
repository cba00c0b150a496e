// The report about a plugin that is tried: as it happens, or all of it in one JSON document.
#pragma once

#include <memory>
#include <string>

#include "offline/child.hpp"

namespace triggerctl {

class RunReport {
 public:
  RunReport();
  ~RunReport();
  RunReport(const RunReport&) = delete;
  RunReport& operator=(const RunReport&) = delete;

  void add(const Json& event);
  // Reports how it ended, and returns the exit code: that of the worst verdict.
  int finish(const ChildEnd& end, Millis silence);

 private:
  void print(const Json& event) const;

  const std::unique_ptr<Json> document_;
  int code_ = 0;
  bool failed_ = false;
};

// A sentence about a child that did not end by itself; "" if it did.
std::string how_it_died(const ChildEnd& end, Millis silence);

}  // namespace triggerctl
