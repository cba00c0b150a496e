// The differences between two configurations, as far as they matter to what runs.
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
  // An alias also counts as changed if a truststore or keystore that it names has changed.
  Changes aliases;
  // By their own definitions alone: a changed alias does not make its triggers count as changed.
  Changes triggers;
  // "[inbox] sync": keys that take effect only when the runtime starts.
  std::vector<std::string> needs_restart;
  // Something else differs, such as drain_timeout or [admin] manage; it takes effect at once.
  bool other = false;
};

Difference difference(const Config& before, const Config& after);

// Whether both run the same, wherever they are written and however they are described; used by
// difference().
bool runs_the_same(const Alias& a, const Alias& b);
bool runs_the_same(const Trigger& a, const Trigger& b);

}  // namespace triggerd::config
