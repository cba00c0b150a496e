// A status as text: all of it, or the parts that `alias list`, `trigger list`, ... show.
#pragma once

#include <deque>
#include <map>
#include <string>

#include "live/causes.hpp"
#include "output.hpp"

namespace triggerctl {

// How many messages each trigger has received over the last seconds, computed from successive
// statuses.
class Rates {
 public:
  void add(const Json& status);
  // Messages per second between the last two; negative: not known yet.
  double of(const std::string& trigger) const;
  // One column for each of the last statuses, its height relative to the highest rate.
  std::string picture(const std::string& trigger) const;

 private:
  struct Seen {
    double received = 0;
    std::deque<double> rates;
  };
  double uptime_ = -1;
  std::map<std::string, Seen> triggers_;
};

// One screen. With `rates`: for a screen that is redrawn again and again.
std::string status_text(const Json& status, const Rates* rates = nullptr);

// Ages are relative to `now` (RFC 3339); if that is empty, times are shown instead. Reasons that
// `told` says already are left out.
std::string aliases_text(const Json& aliases, const std::string& now = "", const Causes& told = {});
// What an alias keeps to publish, with the oldest messages of it.
std::string outbox_text(const Json& outbox, const Json& oldest);
std::string triggers_text(const Json& triggers, const Rates* rates = nullptr,
                          const Causes& told = {});
std::string plugins_text(const Json& plugins, const std::string& now = "");
std::string packages_text(const Json& packages);

// "at most 100/s, 5s after receipt", of an object with max_rate and delay; "" without either.
std::string pacing_text(const Json& object);

// "triggers.toml:12", "managed", "package boilers".
std::string origin_text(const Json& object);

}  // namespace triggerctl
