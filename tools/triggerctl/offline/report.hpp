// What is said of a plugin that was tried: as it happens, or all of it in one JSON document.
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
  // Says how it ended, and what triggerctl is to exit with: of several verdicts the worst.
  int finish(const ChildEnd& end, Millis silence);

 private:
  void print(const Json& event) const;

  const std::unique_ptr<Json> document_;
  int code_ = 0;
  bool failed_ = false;
};

// The sentence for a child that did not end by itself; "" where it did.
std::string how_it_died(const ChildEnd& end, Millis silence);

}  // namespace triggerctl
