#include "mqtt/session/session_plan.hpp"

#include <algorithm>
#include <iterator>

namespace triggerd::mqtt {

SessionPlan plan_session(const std::optional<std::vector<std::string>>& remembered,
                         bool session_present, std::vector<std::string> wanted) {
  SessionPlan plan;
  plan.lost = remembered.has_value() && !session_present;
  std::vector<std::string> held;
  if (remembered && session_present) held = *remembered;
  std::sort(held.begin(), held.end());
  std::sort(wanted.begin(), wanted.end());
  std::set_difference(held.begin(), held.end(), wanted.begin(), wanted.end(),
                      std::back_inserter(plan.stale));
  std::set_union(held.begin(), held.end(), wanted.begin(), wanted.end(),
                 std::back_inserter(plan.remember));
  return plan;
}

}  // namespace triggerd::mqtt
