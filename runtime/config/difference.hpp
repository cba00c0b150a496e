// The differences between two configurations that matter to a running runtime.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"

namespace triggerd::config {

// Names, each list in the order of the configuration it comes from.
struct Changes {
  std::vector<std::string> added;
  std::vector<std::string> removed;
  std::vector<std::string> changed;
};

struct Difference {
  // An alias also counts as changed if a truststore or keystore that it names has changed.
  Changes aliases;
  // Judged by their own definitions: a changed alias does not make its triggers count as changed.
  Changes triggers;
  // Changed keys that take effect only when the runtime starts, such as "[inbox] sync".
  std::vector<std::string> needs_restart;
  // Something else differs, such as drain_timeout or [admin] manage; it takes effect at once.
  bool other = false;
};

Difference difference(const Config& before, const Config& after);

// Whether `a` and `b` behave the same when they run. Where they are written and how they are
// described does not matter. Used by difference().
bool runs_the_same(const Alias& a, const Alias& b);
bool runs_the_same(const Trigger& a, const Trigger& b);

}  // namespace triggerd::config
