#include "dispatch/outcomes.hpp"

#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

#include "support/fake_clock.hpp"
#include "unit/dispatch/messages.hpp"

namespace triggerd::dispatch {
namespace {

using Loss = plugin::WorkSource::Loss;

class OutcomesTest : public testing::Test {
 protected:
  OutcomesTest() {
    options_.timeout = Millis(3'000);
    options_.queue_capacity = 2;
    options_.retry.max_attempts = 2;
    options_.retry.backoff = {Millis(100), Millis(1'000), 2.0};
  }
  // A message of a lane of its own, in the service's hands.
  Attempt& begin(const std::string& topic) {
    DeliveryQueue queue;
    queue.push_back(test::delivery(topic));
    lanes_.push_all(std::move(queue), 1, topic);
    return begin_next();
  }
  Attempt& begin_next() {
    Attempt& attempt = attempts_.add(lanes_.pop());
    attempts_.begin(attempt, clock_.now());
    attempt.tests_outage = admission_.begin_attempt();
    return attempt;
  }
  void settle(Attempt& attempt, std::int32_t code, const std::string& reason = {},
              std::uint32_t retry_after_ms = 0) {
    outcomes_.settle(attempt, {code, retry_after_ms, reason}, report_);
  }
  // The event of this kind; fails if it is not the last one of the report.
  template <class Event>
  Event last() {
    const bool is_last = report_.others && !report_.others->events.empty() &&
                         std::holds_alternative<Event>(report_.others->events.back());
    EXPECT_TRUE(is_last);
    return is_last ? std::get<Event>(report_.others->events.back()) : Event{};
  }
  std::string dead_letter() const {
    if (!report_.others || report_.others->dead_letters.empty()) return "";
    const auto& [delivery, reason] = report_.others->dead_letters.back();
    return std::string(delivery->message.topic) + ": " + reason;
  }

  triggerd::test::FakeClock clock_;
  Random random_ = [] { return 1.0; };
  DispatcherOptions options_;
  LaneQueue lanes_;
  AttemptTable attempts_{"t", Millis(3'000)};
  RetryQueue retries_;
  Deduplicator deduplicator_;
  Admission admission_{{Millis(100), Millis(1'000), 2.0}, clock_, random_};
  Pace pace_{config::Rate{}};
  DispatcherStats counts_;
  DispatchReport report_;
  Outcomes outcomes_{{.options = options_,
                      .clock = clock_,
                      .random = random_,
                      .lanes = lanes_,
                      .attempts = attempts_,
                      .retries = retries_,
                      .deduplicator = deduplicator_,
                      .admission = admission_,
                      .pace = pace_,
                      .counts = counts_}};
};

TEST_F(OutcomesTest, OkFinishesAndReportsNothingElse) {
  Attempt& attempt = begin("a");
  const DeliveryPtr delivery = attempt.delivery;
  clock_.advance(Millis(5));
  settle(attempt, TRIGGER_OK);
  EXPECT_EQ(report_.finished, delivery);
  EXPECT_TRUE(report_.empty());
  EXPECT_FALSE(report_.wake) << "the worker goes on itself";
  EXPECT_EQ(delivery->took, Millis(5));
  EXPECT_EQ(counts_.ok, 1U);
  EXPECT_EQ(attempts_.in_flight(), 0U);
  DispatchReport report;
  outcomes_.settle(begin("a"), {TRIGGER_OK, 0, {}}, report);
  EXPECT_NE(report.finished, nullptr) << "its lane goes on";
}

TEST_F(OutcomesTest, AFilteredMessageIsFinishedAndSaysNothingOfTheService) {
  Attempt& attempt = begin("a");
  const DeliveryPtr delivery = attempt.delivery;
  outcomes_.settle(attempt, {.code = TRIGGER_OK, .unseen = true}, report_);
  EXPECT_EQ(report_.finished, delivery);
  EXPECT_EQ(delivery->lot, Delivery::Lot::filtered);
  EXPECT_FALSE(report_.wake);
  EXPECT_EQ(delivery->lane, nullptr);
  EXPECT_EQ(counts_.ok, 0U);
  EXPECT_EQ(counts_.filtered, 1U);
  EXPECT_EQ(outcomes_.handle_times().snapshot(1).count, 0U);
}

TEST_F(OutcomesTest, WhatTheServiceHasNotSeenIsNoHalfOpenAttempt) {
  for (const std::int32_t code : {TRIGGER_OK, TRIGGER_REJECT}) {
    admission_.hold();
    ASSERT_TRUE(admission_.begin_half_open());
    Attempt& attempt = begin("a");
    DeliveryQueue waiting;
    waiting.push_back(test::delivery("b"));
    lanes_.push_all(std::move(waiting), 1, "b");
    DispatchReport report;
    outcomes_.settle(attempt, {.code = code, .reason = "no JSON", .unseen = true}, report);
    EXPECT_FALSE(admission_.half_open());
    EXPECT_TRUE(admission_.admits(0)) << "the next message is one";
    EXPECT_TRUE(report.wake);
    EXPECT_TRUE(!report.others || report.others->events.empty());
    settle(begin_next(), TRIGGER_OK);
    EXPECT_TRUE(last<event::HalfOpenEnded>().handled);
    admission_.resume();
  }
}

TEST_F(OutcomesTest, AHalfOpenAttemptIsOverWhereNoOtherMessageCanBeOne) {
  admission_.hold();
  ASSERT_TRUE(admission_.begin_half_open());
  outcomes_.settle(begin("a"), {.code = TRIGGER_OK, .unseen = true}, report_);
  EXPECT_FALSE(last<event::HalfOpenEnded>().handled);
  EXPECT_FALSE(admission_.admits(0));
}

TEST_F(OutcomesTest, WhatTheServiceHasNotSeenDoesNotEndAnOutage) {
  settle(begin("a"), TRIGGER_UNAVAILABLE, "no database");
  ASSERT_TRUE(admission_.may_be_over());
  DispatchReport report;
  outcomes_.settle(begin("b"), {.code = TRIGGER_OK, .unseen = true}, report);
  EXPECT_FALSE(admission_.outage().over());
  EXPECT_TRUE(admission_.admits(0)) << "another message is to test it";
  EXPECT_TRUE(report.wake);
}

TEST_F(OutcomesTest, WhatIsKnownOfACrashIsForgottenOnceAMessageIsDoneWith) {
  Attempt& attempt = begin("a");
  attempt.delivery->crashes.identity = 7;
  attempt.delivery->crashes.suspect = true;
  settle(attempt, TRIGGER_OK);
  ASSERT_TRUE(report_.others);
  EXPECT_EQ(report_.others->survived, std::vector<std::uint64_t>{7});
  EXPECT_TRUE(report_.wake) << "others may go beside the next one";
}

TEST_F(OutcomesTest, RejectMakesADeadLetterWhichHoldsItsLaneUntilItIsWritten) {
  Attempt& attempt = begin("a");
  const DeliveryPtr delivery = attempt.delivery;
  settle(attempt, TRIGGER_REJECT, "not a number");
  EXPECT_EQ(dead_letter(), "a: not a number");
  EXPECT_EQ(outcomes_.dead_letters_under_way(), 1U);
  EXPECT_NE(delivery->lane, nullptr);
  outcomes_.dead_letter_written(delivery);
  EXPECT_EQ(outcomes_.dead_letters_under_way(), 0U);
  EXPECT_EQ(delivery->lane, nullptr);
  EXPECT_EQ(counts_.rejected, 1U);
}

TEST_F(OutcomesTest, ADeadLetterThatCannotBeWrittenWaitsWithItsReason) {
  Attempt& attempt = begin("a");
  const DeliveryPtr delivery = attempt.delivery;
  settle(attempt, TRIGGER_REJECT, "bad");
  outcomes_.dead_letter_waits(delivery, "bad", clock_.now() + Millis(50));
  EXPECT_EQ(outcomes_.dead_letters_under_way(), 0U);
  EXPECT_EQ(retries_.next(), clock_.now() + Millis(50));
  report_ = {};
  outcomes_.go_again(retries_.pop_due(retries_.next()), report_);
  EXPECT_EQ(dead_letter(), "a: bad");
  EXPECT_EQ(delivery->unwritten_dead_letter, nullptr);
}

TEST_F(OutcomesTest, ARetryWaitsForItsBackoffOrAsLongAsTheServiceSays) {
  settle(begin("a"), TRIGGER_RETRY, "down");
  EXPECT_EQ(last<event::Retrying>().delay, Millis(100));
  EXPECT_EQ(last<event::Retrying>().reason, "down");
  EXPECT_EQ(report_.timer_at, clock_.now() + Millis(100));
  settle(begin("b"), TRIGGER_RETRY, "down", 30);
  EXPECT_EQ(last<event::Retrying>().delay, Millis(30));
  EXPECT_EQ(report_.timer_at, clock_.now() + Millis(30));
  settle(begin("c"), 99);
  EXPECT_EQ(last<event::Retrying>().reason, "the service returned 99, which is not a verdict");
  EXPECT_EQ(counts_.invalid_verdicts, 1U);
  EXPECT_EQ(counts_.retried, 3U);
  EXPECT_EQ(retries_.size(), 3U);
}

TEST_F(OutcomesTest, OutOfAttemptsItIsADeadLetterDiscardedOrSuspends) {
  options_.retry.max_attempts = 1;
  settle(begin("a"), TRIGGER_RETRY);
  EXPECT_EQ(dead_letter(), "a: out of attempts (1): the service gave no reason");
  options_.on_exhausted = config::OnExhausted::discard;
  settle(begin("b"), TRIGGER_RETRY, "down");
  EXPECT_EQ(last<event::Discarded>().reason, "out of attempts (1): down");
  EXPECT_EQ(counts_.discarded, 1U);
  options_.on_exhausted = config::OnExhausted::suspend;
  settle(begin("c"), TRIGGER_RETRY, "down");
  EXPECT_EQ(last<event::Suspended>().delivery->attempts, 0U) << "it begins anew then";
  EXPECT_TRUE(admission_.held());
  EXPECT_EQ(lanes_.size(), 1U);
}

TEST_F(OutcomesTest, AFailedHalfOpenAttemptIsTheTriggersTroubleAndNotTheMessages) {
  Attempt& before = begin("a");
  admission_.hold();
  (void)admission_.begin_half_open();
  settle(before, TRIGGER_RETRY);
  report_ = {};
  outcomes_.go_again(retries_.pop_due(Monotonic::max()), report_);
  settle(begin_next(), TRIGGER_RETRY, "down");
  EXPECT_FALSE(last<event::HalfOpenEnded>().handled);
  EXPECT_EQ(lanes_.size(), 1U) << "it waits for the next one";
  EXPECT_TRUE(retries_.empty());
}

TEST_F(OutcomesTest, UnavailableIsNoAttemptAndAnyOtherVerdictOfTheTestEndsIt) {
  settle(begin("a"), TRIGGER_UNAVAILABLE, "no database");
  EXPECT_EQ(last<event::Unavailable>().reason, "no database");
  EXPECT_EQ(report_.timer_at, clock_.now() + Millis(100));
  EXPECT_EQ(lanes_.size(), 1U);
  (void)admission_.outage().test_now();
  Attempt& test = begin_next();
  EXPECT_EQ(test.delivery->attempts, 1U);
  report_ = {};
  settle(test, TRIGGER_RETRY, "bad row");
  EXPECT_EQ(last<event::Retrying>().reason, "bad row");
  EXPECT_TRUE(admission_.outage().over());
  EXPECT_TRUE(report_.wake);
}

TEST_F(OutcomesTest, ARejectedTestSaysNothingSoAnotherOneIsMade) {
  settle(begin("a"), TRIGGER_UNAVAILABLE);
  (void)admission_.outage().test_now();
  report_ = {};
  settle(begin_next(), TRIGGER_REJECT);
  EXPECT_TRUE(admission_.outage().tests_next());
  EXPECT_TRUE(report_.wake);
}

TEST_F(OutcomesTest, ACallThatDoesNotReturnIsReportedAndCountsOnceItDoes) {
  Attempt& attempt = begin("a");
  const DeliveryPtr delivery = attempt.delivery;
  outcomes_.overrun(attempt, report_);
  EXPECT_EQ(last<event::Overrunning>().delivery, delivery);
  EXPECT_EQ(delivery->failed, 1U);
  EXPECT_TRUE(retries_.empty()) << "the service has its memory";
  outcomes_.time_out(attempt, report_);
  EXPECT_EQ(last<event::Retrying>().reason, "no verdict within 3s");
  EXPECT_EQ(counts_.timed_out, 1U);
  EXPECT_EQ(attempts_.in_flight(), 0U);
}

TEST_F(OutcomesTest, PendingAttemptsThatExpireStallTheTriggerWhenTheyFillIt) {
  Attempt& a = begin("a");
  Attempt& b = begin("b");
  outcomes_.expire_pending(a, report_);
  EXPECT_EQ(last<event::Retrying>().attempts, 1U);
  outcomes_.expire_pending(b, report_);
  EXPECT_EQ(last<event::Stalled>().attempts, 2U);
  report_ = {};
  outcomes_.expire_pending(begin("c"), report_);
  EXPECT_EQ(report_.others->events.size(), 1U) << "reported once";
  outcomes_.forget_expired(a);
  outcomes_.forget_expired(b);
  report_ = {};
  outcomes_.expire_pending(begin("d"), report_);
  EXPECT_EQ(last<event::Stalled>().attempts, 2U) << "it is another time";
}

TEST_F(OutcomesTest, OfALostWorkerTheOneMessageInItsHandsCounts) {
  Attempt& attempt = begin("a");
  const DeliveryPtr delivery = attempt.delivery;
  outcomes_.lose_worker({Loss::Why::crashed, "ended by SIGSEGV"}, false, report_);
  EXPECT_EQ(last<event::Retrying>().reason, "ended by SIGSEGV");
  EXPECT_TRUE(delivery->crashes.suspect);
}

TEST_F(OutcomesTest, OfSeveralNoneCountsAndEachGoesAloneAndInItsPlace) {
  begin("a");
  begin("b");
  outcomes_.lose_worker({Loss::Why::crashed, "ended by SIGSEGV"}, false, report_);
  EXPECT_TRUE(report_.empty());
  for (const char* topic : {"a", "b"}) {
    const DeliveryPtr next = lanes_.pop();
    ASSERT_NE(next, nullptr);
    EXPECT_EQ(next->message.topic, topic);
    EXPECT_EQ(next->attempts, 0U);
    EXPECT_TRUE(next->crashes.suspect);
  }
}

TEST_F(OutcomesTest, AHungCallHasEndedTheWorkerAndNobodyElseHas) {
  Attempt& hung = begin("hung");
  begin("other");
  outcomes_.overrun(hung, report_);
  outcomes_.lose_worker({Loss::Why::crashed, "it hung"}, true, report_);
  EXPECT_EQ(last<event::Retrying>().reason, "no verdict within 3s");
  const DeliveryPtr other = lanes_.pop();
  ASSERT_NE(other, nullptr);
  EXPECT_EQ(other->attempts, 0U);
  EXPECT_FALSE(other->crashes.suspect);
}

TEST_F(OutcomesTest, WhatAStoppedInstanceHasNotCompletedGoesAgainAndCountsForNothing) {
  Attempt& attempt = begin("a");
  attempt.state = Attempt::State::pending;
  outcomes_.revoke(attempt, report_);
  EXPECT_EQ(attempt.delivery->attempts, 0U);
  EXPECT_EQ(attempts_.expired_pending(), 1U) << "it may still be read";
  EXPECT_EQ(retries_.next(), clock_.now());
  EXPECT_EQ(report_.timer_at, clock_.now());
}

TEST_F(OutcomesTest, WhatNoServiceIsToSeeIsCondemnedOrExpires) {
  Attempt& taken = begin("a");
  DeliveryPtr delivery = attempts_.remove(taken);
  delivery->crashes.condemned = std::make_unique<const std::string>("ended the runtime 3 times");
  outcomes_.condemn(delivery, report_);
  EXPECT_EQ(dead_letter(), "a: ended the runtime 3 times");
  outcomes_.dead_letter_written(delivery);
  EXPECT_EQ(counts_.exhausted, 1U);
  outcomes_.expire(attempts_.remove(begin("b")), report_);
  EXPECT_EQ(last<event::Expired>().delivery->message.topic, "b");
  EXPECT_EQ(counts_.expired, 1U);
}

}  // namespace
}  // namespace triggerd::dispatch
