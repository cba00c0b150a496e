// A status as text: of all, or as `alias list`, `trigger list`, ... show parts of it.
#pragma once

#include <deque>
#include <map>
#include <string>

#include "live/causes.hpp"
#include "output.hpp"

namespace triggerctl {

// How many messages each trigger has received, over the last seconds: made of one status after
// another.
class Rates {
 public:
  void add(const Json& status);
  // Messages a second between the last two; negative: not known yet.
  double of(const std::string& trigger) const;
  // One column for each of the last times, as high as its rate is beside the highest.
  std::string picture(const std::string& trigger) const;

 private:
  struct Seen {
    double received = 0;
    std::deque<double> rates;
  };
  double uptime_ = -1;
  std::map<std::string, Seen> triggers_;
};

// One screen. With `rates`: of a screen that is drawn again and again.
std::string status_text(const Json& status, const Rates* rates = nullptr);

// Ages are beside `now`, RFC 3339, where it is not empty; else times are shown as such. Reasons
// that `told` says are left out.
std::string aliases_text(const Json& aliases, const std::string& now = "", const Causes& told = {});
std::string triggers_text(const Json& triggers, const Rates* rates = nullptr,
                          const Causes& told = {});
std::string plugins_text(const Json& plugins, const std::string& now = "");
std::string packages_text(const Json& packages);

// "triggers.toml:12", "managed", "package boilers".
std::string origin_text(const Json& object);

}  // namespace triggerctl
