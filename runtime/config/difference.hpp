// What is different between two configurations, as far as it makes a difference to what runs.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"

namespace triggerd::config {

// Names, in the order of the configuration that has them.
struct Changes {
  std::vector<std::string> added;
  std::vector<std::string> removed;
  std::vector<std::string> changed;
};

struct Difference {
  // An alias is also changed where a truststore or keystore that it names is.
  Changes aliases;
  // By its own definition alone: that its alias changed is not said again.
  Changes triggers;
  // "[inbox] sync": what holds from the start of the runtime to its end.
  std::vector<std::string> needs_restart;
  // Anything else, such as drain_timeout, [admin] manage, or a description: taken as it is.
  bool other = false;
};

Difference difference(const Config& before, const Config& after);

// The same thing, wherever it is written and however it is described; used by difference().
bool runs_the_same(const Alias& a, const Alias& b);
bool runs_the_same(const Trigger& a, const Trigger& b);

}  // namespace triggerd::config
