// The dispatcher as the link of a worker process uses it: messages ahead, and a worker that is
// lost.
#include "unit/dispatch/dispatcher_fixture.hpp"

namespace triggerd::dispatch {
namespace {

using Loss = plugin::WorkSource::Loss;

class DispatcherLinkTest : public DispatcherTest {
 protected:
  plugin::WorkSource::Taken poll(std::size_t ahead = 0) { return dispatcher().poll(ahead); }
  void crash() {
    dispatcher().lost({.why = Loss::Why::crashed, .reason = "the worker was ended by SIGSEGV"});
  }
  void one_by_one() {
    options_.order.by = config::Order::By::trigger;
    options_.queue_capacity = 100;
  }
  void several(std::uint32_t concurrency) {
    options_.concurrency = concurrency;
    options_.order.by = config::Order::By::none;
  }
};

TEST_F(DispatcherLinkTest, ListensWhenThereIsNothing) {
  several(3);
  int rings = 0;
  dispatcher().listen([&] { ++rings; });
  rings = 0;
  EXPECT_EQ(poll().message, nullptr);
  accept("a");
  accept("b");
  EXPECT_EQ(rings, 1) << "once, until it has looked";
  EXPECT_NE(poll().message, nullptr);
  dispatcher().listen({});
  EXPECT_NE(poll().message, nullptr);
  EXPECT_EQ(poll().message, nullptr);
  accept("c");
  EXPECT_EQ(rings, 1);
}

TEST_F(DispatcherLinkTest, MessagesAheadBeginOneAfterAnother) {
  one_by_one();
  for (const char* topic : {"a", "b", "c", "d"}) accept(topic);
  const auto a = poll(2);
  const auto b = poll(2);
  const auto c = poll(2);
  ASSERT_TRUE(a.message && b.message && c.message);
  EXPECT_FALSE(a.follows);
  EXPECT_TRUE(b.follows && c.follows);
  EXPECT_EQ(poll(2).message, nullptr);
  EXPECT_EQ(topic(*c.message), "c");
  EXPECT_EQ(b.message->attempt, 1U);
  advance(Millis(900));
  answer(*a.message, TRIGGER_OK);
  advance(Millis(900));  // the time of "b" runs since then
  answer(*b.message, TRIGGER_OK);
  answer(*c.message, TRIGGER_OK);
  EXPECT_EQ(sink_.told, (Told{"finished a", "finished b", "finished c"}));
}

TEST_F(DispatcherLinkTest, WhatFollowsAFailureIsGivenAgainBehindIt) {
  one_by_one();
  for (const char* topic : {"a", "b", "c"}) accept(topic);
  const auto a = poll(5);
  const auto b = poll(5);
  ASSERT_NE(poll(5).message, nullptr);
  answer(*a.message, TRIGGER_RETRY);
  answer(*b.message, TRIGGER_OK);  // of an attempt that is over
  EXPECT_EQ(poll(5).message, nullptr) << "they wait for the one before them";
  advance(Millis(100));
  for (const char* expected : {"a", "b", "c"}) {
    const auto taken = poll();
    ASSERT_NE(taken.message, nullptr);
    EXPECT_EQ(topic(*taken.message), expected);
    EXPECT_EQ(taken.message->attempt, topic(*taken.message) == "a" ? 2U : 1U);
    answer(*taken.message, TRIGGER_OK);
  }
}

TEST_F(DispatcherLinkTest, WhatIsAheadWaitsBehindOneThatSuspends) {
  one_by_one();
  options_.retry.max_attempts = 1;
  options_.on_exhausted = config::OnExhausted::suspend;
  accept("a");
  accept("b");
  const auto a = poll(5);
  ASSERT_NE(poll(5).message, nullptr);
  answer(*a.message, TRIGGER_RETRY);
  dispatcher().resume();
  EXPECT_EQ(topic(take()), "a");
}

TEST_F(DispatcherLinkTest, ACrashCountsAgainstTheOneMessageThatWasThere) {
  options_.retry.max_attempts = 2;
  accept("a");
  ASSERT_NE(poll().message, nullptr);
  crash();
  advance(Millis(100));
  ASSERT_NE(poll().message, nullptr);
  crash();
  EXPECT_EQ(sink_.told,
            (Told{"retry a 1 100 the worker was ended by SIGSEGV",
                  "dead letter a out of attempts (2): the worker was ended by SIGSEGV"}));
}

TEST_F(DispatcherLinkTest, WhatWasAheadInACrashIsInnocent) {
  one_by_one();
  accept("a");
  accept("b");
  ASSERT_NE(poll(5).message, nullptr);
  ASSERT_NE(poll(5).message, nullptr);
  crash();
  advance(Millis(100));
  const auto a = poll(5);
  EXPECT_EQ(topic(*a.message), "a");
  EXPECT_EQ(poll(5).message, nullptr) << "nothing is handed over beside a suspect";
  answer(*a.message, TRIGGER_OK);
  EXPECT_EQ(take().attempt, 1U);
}

TEST_F(DispatcherLinkTest, OfSeveralNoneIsCountedAndEachGoesAlone) {
  several(3);
  for (const char* topic : {"a", "b", "c", "d"}) accept(topic);
  for (int i = 0; i < 3; ++i) ASSERT_NE(poll().message, nullptr);
  crash();
  EXPECT_TRUE(std::none_of(sink_.told.begin(), sink_.told.end(),
                           [](const std::string& line) { return line.starts_with("retry"); }));
  for (const char* expected : {"a", "b", "c"}) {
    const auto alone = poll();
    ASSERT_NE(alone.message, nullptr);
    EXPECT_EQ(topic(*alone.message), expected);
    EXPECT_EQ(alone.message->attempt, 1U);
    EXPECT_EQ(poll().message, nullptr) << "beside " << expected;
    if (topic(*alone.message) == "b") {
      crash();  // this is the one
      EXPECT_EQ(sink_.told.back(), "retry b 1 100 the worker was ended by SIGSEGV");
    } else {
      answer(*alone.message, TRIGGER_OK);
    }
  }
  EXPECT_EQ(topic(take()), "d");
  advance(Millis(100));
  EXPECT_EQ(poll().message, nullptr) << "it waits until it is alone again";
}

TEST_F(DispatcherLinkTest, AHangIsNobodyElsesFault) {
  several(2);
  accept("a");
  ASSERT_NE(poll().message, nullptr);
  advance(Millis(500));
  accept("b");
  ASSERT_NE(poll().message, nullptr);
  EXPECT_FALSE(dispatcher().overrunning());
  advance(Millis(500));
  EXPECT_TRUE(dispatcher().overrunning());
  crash();
  EXPECT_FALSE(dispatcher().overrunning());
  EXPECT_EQ(sink_.told.back(), "retry a 1 100 no verdict within 1s");
  const trigger_message& b = take();
  EXPECT_EQ(topic(b), "b");
  EXPECT_EQ(b.attempt, 1U);
}

TEST_F(DispatcherLinkTest, WhatWasNotBegunIsGivenBack) {
  several(2);
  accept("a");
  accept("b");
  const auto a = poll();
  answer(*a.message, TRIGGER_PENDING);
  ASSERT_NE(poll().message, nullptr);
  dispatcher().lost({.why = Loss::Why::not_begun, .reason = {}});
  EXPECT_EQ(take().attempt, 1U);
  EXPECT_EQ(dispatcher().complete(a.message->token, {TRIGGER_OK, 0, ""}), TRIGGER_OK);
}

TEST_F(DispatcherLinkTest, AProbeThatEndsItsWorkerHasFailed) {
  dispatcher().begin_probe();
  ASSERT_EQ(poll().message, &plugin::WorkSource::kProbe);
  crash();
  EXPECT_EQ(sink_.told, (Told{"probe failed: the worker was ended by SIGSEGV"}));
  crash();
  EXPECT_EQ(sink_.told.size(), 1U) << "the second one died of something else";
}

TEST_F(DispatcherLinkTest, AProbeThatWasNotBegunIsAskedForAgain) {
  dispatcher().begin_probe();
  ASSERT_EQ(poll().message, &plugin::WorkSource::kProbe);
  dispatcher().lost({.why = Loss::Why::not_begun, .reason = {}});
  EXPECT_EQ(poll().message, &plugin::WorkSource::kProbe);
  dispatcher().probed({});
  EXPECT_EQ(sink_.told, (Told{"probe ok"}));
  dispatcher().lost({.why = Loss::Why::not_begun, .reason = {}});
  EXPECT_EQ(poll().message, nullptr);
}

TEST_F(DispatcherLinkTest, AProbeThatHangsIsOverdueAndNobodyElsesFault) {
  several(2);
  dispatcher().begin_probe();
  ASSERT_EQ(poll().message, &plugin::WorkSource::kProbe);
  advance(Millis(500));
  accept("a");
  ASSERT_NE(poll().message, nullptr);
  EXPECT_FALSE(dispatcher().overrunning());
  advance(Millis(500));
  EXPECT_TRUE(dispatcher().overrunning());
  crash();
  EXPECT_FALSE(dispatcher().overrunning());
  EXPECT_EQ(sink_.told, (Told{"probe failed: its probe did not return within 1s"}));
  EXPECT_EQ(take().attempt, 1U);
}

TEST_F(DispatcherLinkTest, APlaceThatALateAttemptFreesIsOffered) {
  several(1);
  int rings = 0;
  accept("a");
  const auto a = poll();
  answer(*a.message, TRIGGER_PENDING);
  accept("b");
  ASSERT_EQ(poll().message, nullptr);
  dispatcher().listen([&] { ++rings; });
  rings = 0;
  ASSERT_EQ(poll().message, nullptr);
  advance(Millis(1'000));
  EXPECT_EQ(rings, 1);
  EXPECT_EQ(topic(take()), "b");
}

TEST_F(DispatcherLinkTest, AnswersThatNobodyAskedForChangeNothing) {
  one_by_one();
  accept("a");
  accept("b");
  const auto a = poll(5);
  const auto b = poll(5);
  answer(*b.message, TRIGGER_OK);
  answer(*a.message, TRIGGER_PENDING);
  answer(*a.message, TRIGGER_PENDING);
  advance(Millis(1'000));
  answer(*a.message, TRIGGER_OK);  // late by now
  trigger_message made_up{};
  made_up.token = 0xFFFF'FFFF'FFFF'FFFF;
  answer(made_up, TRIGGER_OK);
  EXPECT_EQ(dispatcher().stats().in_flight, 0U);
  EXPECT_EQ(dispatcher().stats().ok, 0U);
}

}  // namespace
}  // namespace triggerd::dispatch
