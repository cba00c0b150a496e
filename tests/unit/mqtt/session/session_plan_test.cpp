#include "mqtt/session/session_plan.hpp"

#include <gtest/gtest.h>

namespace triggerd::mqtt {
namespace {

using Filters = std::vector<std::string>;

TEST(SessionPlan, AFirstSessionIsNotALostOne) {
  const SessionPlan plan = plan_session(std::nullopt, false, {"b", "a"});
  EXPECT_FALSE(plan.lost);
  EXPECT_EQ(plan.stale, Filters{});
  EXPECT_EQ(plan.remember, (Filters{"a", "b"}));
}

TEST(SessionPlan, ASessionTheServerForgotIsLostAndHoldsNothingStale) {
  const SessionPlan plan = plan_session(Filters{"a", "old"}, false, {"a"});
  EXPECT_TRUE(plan.lost);
  EXPECT_EQ(plan.stale, Filters{});
  EXPECT_EQ(plan.remember, Filters{"a"});
}

TEST(SessionPlan, FiltersNobodyWantsAreStaleAndRememberedUntilUnsubscribed) {
  const SessionPlan plan = plan_session(Filters{"old", "a", "older"}, true, {"b", "a"});
  EXPECT_FALSE(plan.lost);
  EXPECT_EQ(plan.stale, (Filters{"old", "older"}));
  EXPECT_EQ(plan.remember, (Filters{"a", "b", "old", "older"}));
}

TEST(SessionPlan, ASessionOfUnknownOriginIsTakenAsItIs) {
  const SessionPlan plan = plan_session(std::nullopt, true, {"a"});
  EXPECT_FALSE(plan.lost);
  EXPECT_EQ(plan.remember, Filters{"a"});
}

}  // namespace
}  // namespace triggerd::mqtt
