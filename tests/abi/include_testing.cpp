// trigger/testing.hpp alone is enough for a test of a plugin.
#include <trigger/testing.hpp>

std::string include_testing_why_not(const std::string& file) {
  return trigger::testing::Plugin(file).why_not("", {{"limits.high", 2.5}, {"on", true}});
}
