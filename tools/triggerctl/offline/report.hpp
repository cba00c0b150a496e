// What is said of a plugin that was tried: as it happens, or all of it in one JSON document.
#pragma once

#include <string>

#include "offline/child.hpp"

namespace triggerctl {

class RunReport {
 public:
  void add(const Json& event);
  // Says how it ended, and what triggerctl is to exit with: of several verdicts the worst.
  int finish(const ChildEnd& end, Millis silence);

 private:
  void print(const Json& event) const;

  Json document_{{"verdicts", Json::array()},
                 {"published", Json::array()},
                 {"log", Json::array()},
                 {"metrics", Json::object()}};
  int code_ = 0;
  bool failed_ = false;
};

// The sentence for a child that did not end by itself; "" where it did.
std::string how_it_died(const ChildEnd& end, Millis silence);

}  // namespace triggerctl
