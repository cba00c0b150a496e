#include "mqtt/publishes.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace triggerd::mqtt {
namespace {

using namespace std::chrono_literals;

constexpr Monotonic kNow{};
const PublishRequest kRequest{.topic = "t"};

// One that goes at once.
std::uint64_t add(Publishes& publishes, PublishDone done) {
  const auto begun = publishes.begin(kRequest, std::move(done), kNow);
  EXPECT_TRUE(begun && !begun->waits);
  return begun ? begun->number : 0;
}

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
  const std::uint64_t number = add(publishes, told.done());
  publishes.finish(number, {});
  publishes.finish(number, fail("late"));
  publishes.fail_all("lost");
  EXPECT_EQ(told.times, 1);
  EXPECT_TRUE(told.ok);
}

TEST(Publishes, FailsAllOfThemWithTheConnection) {
  Publishes publishes;
  publishes.set_window(1);
  Told first;
  Told second;
  const std::uint64_t number = add(publishes, first.done());
  EXPECT_TRUE(publishes.begin(kRequest, second.done(), kNow)->waits);
  publishes.fail_all("lost");
  publishes.finish(number, {});
  EXPECT_EQ(first.times, 1);
  EXPECT_EQ(first.why, "lost");
  EXPECT_EQ(second.times, 1);
  EXPECT_FALSE(publishes.claim());
  EXPECT_TRUE(publishes.empty());
  add(publishes, {});  // the window is empty again
}

TEST(Publishes, AWithdrawnOneIsNeverTold) {
  Publishes publishes;
  Told told;
  const std::uint64_t number = add(publishes, told.done());
  EXPECT_TRUE(publishes.withdraw(number));
  EXPECT_FALSE(publishes.withdraw(number));
  publishes.fail_all("lost");
  EXPECT_EQ(told.times, 0);
}

TEST(Publishes, RefusesMoreThanItsCapacityAndTakesAgainOnceThereIsRoom) {
  Publishes publishes;
  std::uint64_t last = 0;
  for (std::size_t i = 0; i < Publishes::kCapacity; ++i) {
    last = publishes.begin(kRequest, {}, kNow)->number;
  }
  EXPECT_FALSE(publishes.begin(kRequest, {}, kNow));
  publishes.withdraw(last);
  EXPECT_TRUE(publishes.begin(kRequest, {}, kNow));
}

TEST(Publishes, WhatWaitsHasALimitOfItsMemory) {
  Publishes publishes;
  publishes.set_window(1);
  add(publishes, {});
  const std::vector<std::uint8_t> half(Publishes::kWaitingBytes / 2, 1);
  const PublishRequest large{.topic = "t", .payload = half};
  EXPECT_TRUE(publishes.begin(large, {}, kNow));
  EXPECT_FALSE(publishes.begin(large, {}, kNow)) << "two topics are more than the other half";
  EXPECT_TRUE(publishes.begin(kRequest, {}, kNow));
}

TEST(Publishes, AnOutcomeMayPublishAgain) {
  Publishes publishes;
  int again = 0;
  add(publishes, [&](const Result<>&) { add(publishes, [&](const Result<>&) { ++again; }); });
  publishes.fail_all("lost");
  EXPECT_EQ(again, 0);
  publishes.fail_all("lost");
  EXPECT_EQ(again, 1);
}

TEST(Publishes, WhatIsHandedOverIsNotOvertaken) {
  Publishes publishes;
  publishes.set_window(1);
  const std::uint64_t first = add(publishes, {});
  const auto second = publishes.begin(kRequest, {}, kNow);
  EXPECT_FALSE(publishes.claim()) << "there is no room yet";
  publishes.finish(first, {});
  ASSERT_TRUE(publishes.claim());
  EXPECT_FALSE(publishes.claim()) << "somebody sends already";
  publishes.set_window(5);
  EXPECT_EQ(publishes.next(kNow)->number, second->number);
  // The one before is on its way to the library and may not be there yet.
  const auto third = publishes.begin(kRequest, {}, kNow);
  EXPECT_TRUE(third->waits);
  EXPECT_EQ(publishes.next(kNow)->number, third->number);
  EXPECT_FALSE(publishes.next(kNow));
  EXPECT_FALSE(publishes.begin(kRequest, {}, kNow)->waits);
}

TEST(Publishes, WhatWaitsIsACopyOfAllThatWasAskedFor) {
  Publishes publishes;
  publishes.set_window(1);
  const std::uint64_t first = add(publishes, {});
  {
    const std::string topic = "a/topic";
    const std::string name = "name";
    const std::string value = "value";
    const std::vector<std::uint8_t> payload{1, 0, 2};
    const std::vector<Property> properties{{.id = property::kUser, .name = name, .value = value},
                                           {.id = property::kMessageExpiry, .number = 7}};
    publishes.begin(
        {.topic = topic, .payload = payload, .qos = 2, .retained = true, .properties = properties},
        {}, kNow);
  }
  publishes.finish(first, {});
  ASSERT_TRUE(publishes.claim());
  const auto next = publishes.next(kNow);
  const PublishRequest& request = next->publish->request();
  EXPECT_EQ(request.topic, "a/topic");
  EXPECT_EQ(std::vector<std::uint8_t>(request.payload.begin(), request.payload.end()),
            (std::vector<std::uint8_t>{1, 0, 2}));
  EXPECT_EQ(request.qos, 2);
  EXPECT_TRUE(request.retained);
  ASSERT_EQ(request.properties.size(), 2U);
  EXPECT_EQ(request.properties[0].name, "name");
  EXPECT_EQ(request.properties[0].value, "value");
  EXPECT_EQ(request.properties[1].number, 7U);
}

TEST(Publishes, WhatHasWaitedTooLongIsTold) {
  Publishes publishes;
  publishes.set_window(1);
  const std::uint64_t first = add(publishes, {});
  Told late;
  Told patient;
  publishes.begin({.topic = "t", .wait_limit = 5s}, late.done(), kNow);
  publishes.begin({.topic = "t", .wait_limit = 9s}, patient.done(), kNow);
  publishes.expire(kNow + 4s);
  EXPECT_EQ(late.times, 0);
  publishes.expire(kNow + 5s);
  EXPECT_EQ(late.times, 1);
  EXPECT_NE(late.why.find("has not confirmed the 1 messages before it"), std::string::npos)
      << late.why;
  EXPECT_EQ(publishes.waiting(), 1U);
  publishes.finish(first, {});
  ASSERT_TRUE(publishes.claim());
  EXPECT_TRUE(publishes.next(kNow)) << "the other one";
  EXPECT_FALSE(publishes.next(kNow));
  EXPECT_EQ(patient.times, 0);
}

}  // namespace
}  // namespace triggerd::mqtt
