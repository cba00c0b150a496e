#include "mqtt/publishes.hpp"

#include <gtest/gtest.h>

namespace triggerd::mqtt {
namespace {

struct Told {
  int times = 0;
  bool ok = false;
  std::string why;
  PublishDone done() {
    return [this](const Result<>& outcome) {
      ++times;
      ok = outcome.has_value();
      if (!ok) why = outcome.error().message;
    };
  }
};

TEST(Publishes, TellsAnOutcomeOnce) {
  Publishes publishes;
  Told told;
  const auto number = publishes.add(told.done());
  publishes.finish(*number, {});
  publishes.finish(*number, fail("late"));
  publishes.fail_all("lost");
  EXPECT_EQ(told.times, 1);
  EXPECT_TRUE(told.ok);
}

TEST(Publishes, FailsAllThatWaitWithTheConnection) {
  Publishes publishes;
  Told first;
  Told second;
  const auto number = publishes.add(first.done());
  publishes.add(second.done());
  publishes.fail_all("lost");
  publishes.finish(*number, {});
  EXPECT_EQ(first.times, 1);
  EXPECT_EQ(first.why, "lost");
  EXPECT_EQ(second.times, 1);
}

TEST(Publishes, AWithdrawnOneIsNeverTold) {
  Publishes publishes;
  Told told;
  const auto number = publishes.add(told.done());
  EXPECT_TRUE(publishes.withdraw(*number));
  EXPECT_FALSE(publishes.withdraw(*number));
  publishes.fail_all("lost");
  EXPECT_EQ(told.times, 0);
}

TEST(Publishes, RefusesMoreThanItsCapacityAndTakesAgainOnceThereIsRoom) {
  Publishes publishes;
  std::uint64_t last = 0;
  for (std::size_t i = 0; i < Publishes::kCapacity; ++i) last = *publishes.add({});
  EXPECT_FALSE(publishes.add({}).has_value());
  publishes.finish(last, {});
  EXPECT_TRUE(publishes.add({}).has_value());
}

TEST(Publishes, AnOutcomeMayPublishAgain) {
  Publishes publishes;
  int again = 0;
  publishes.add([&](const Result<>&) { publishes.add([&](const Result<>&) { ++again; }); });
  publishes.fail_all("lost");
  EXPECT_EQ(again, 0);
  publishes.fail_all("lost");
  EXPECT_EQ(again, 1);
}

}  // namespace
}  // namespace triggerd::mqtt
