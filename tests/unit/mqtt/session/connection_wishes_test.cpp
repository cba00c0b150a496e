#include "mqtt/session/connection_wishes.hpp"

#include <gtest/gtest.h>

namespace triggerd::mqtt {
namespace {

TEST(ConnectionWishes, ItIsToBeConnectedOnceOpenedUnlessSomethingSpeaksAgainstIt) {
  ConnectionWishes wishes;
  EXPECT_FALSE(wishes.connect());
  wishes.open();
  EXPECT_TRUE(wishes.connect());
  wishes.pause("full");
  EXPECT_FALSE(wishes.connect());
  EXPECT_EQ(wishes.reason(), "full");
  wishes.resume();
  EXPECT_TRUE(wishes.connect());
  EXPECT_EQ(wishes.reason(), "");
  EXPECT_TRUE(wishes.leave([] {}));
  EXPECT_FALSE(wishes.connect());
  EXPECT_FALSE(wishes.leave([] {})) << "it was leaving already";
  wishes.resume();
  EXPECT_TRUE(wishes.connect());
  wishes.close([] {});
  wishes.resume();
  EXPECT_FALSE(wishes.connect()) << "closing is for good";
}

TEST(ConnectionWishes, WhoeverWaitsIsToldOnce) {
  ConnectionWishes wishes;
  int left = 0;
  int closed = 0;
  wishes.leave([&] { ++left; });
  wishes.leave([&] { ++left; });
  wishes.close([&] { ++closed; });
  EXPECT_TRUE(wishes.awaits_left());
  wishes.report_left();
  wishes.report_left();
  EXPECT_FALSE(wishes.awaits_left());
  EXPECT_EQ(left, 2);
  EXPECT_EQ(closed, 0);
  wishes.report_closed();
  wishes.report_closed();
  EXPECT_EQ(closed, 1);
}

TEST(ConnectionWishes, WhoeverIsToldMayAskAgain) {
  ConnectionWishes wishes;
  int told = 0;
  wishes.close([&] { wishes.close([&] { ++told; }); });
  wishes.report_closed();
  EXPECT_EQ(told, 0);
  wishes.report_closed();
  EXPECT_EQ(told, 1);
}

}  // namespace
}  // namespace triggerd::mqtt
