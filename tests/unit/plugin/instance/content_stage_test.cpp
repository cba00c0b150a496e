// What stands between the workers of a service and its messages, where the trigger asks something
// of their content.
#include "plugin/instance/content_stage.hpp"

#include <gtest/gtest.h>

#include <deque>

#include "plugin/abi_text.hpp"
#include "support/fake_clock.hpp"
#include "unit/plugin/fakes.hpp"

namespace triggerd::plugin {
namespace {

using test::FakeClock;

// A source that does not wait: take() returns nullptr where it has nothing.
class Messages final : public WorkSource {
 public:
  explicit Messages(const Clock& clock) : clock_(clock) {}

  void add(const std::string& payload, Millis timeout = Millis(30'000)) {
    Held& held = held_.emplace_back();
    held.payload = payload;
    held.id = "id" + std::to_string(held_.size());
    held.message.struct_size = sizeof held.message;
    held.message.token = held_.size();
    held.message.id = {held.id.data(), held.id.size()};
    held.message.topic = {"plant/a", 7};
    held.message.payload = {reinterpret_cast<const std::uint8_t*>(held.payload.data()),
                            held.payload.size()};
    held.message.qos = 1;
    held.message.deadline_mono_ns = static_cast<std::uint64_t>(
        std::chrono::nanoseconds((clock_.now() + timeout).time_since_epoch()).count());
    waiting_.push_back(&held.message);
  }
  const trigger_message* original(std::size_t number) { return &held_[number - 1].message; }

  const trigger_message* take(std::stop_token) override {
    if (waiting_.empty()) return nullptr;
    const trigger_message* const next = waiting_.front();
    waiting_.pop_front();
    return next;
  }
  void take_more(std::vector<const trigger_message*>& batch) override {
    while (const trigger_message* const next = take({})) batch.push_back(next);
  }
  void answered(const trigger_message& message, Answer answer) override {
    // "1 ok", "2 reject: why", and so on.
    std::string line = std::to_string(message.token) + ' ';
    line += answer.code == TRIGGER_OK            ? (answer.unseen ? "filtered" : "ok")
            : answer.code == TRIGGER_REJECT      ? "reject"
            : answer.code == TRIGGER_RETRY       ? "retry"
            : answer.code == TRIGGER_UNAVAILABLE ? "unavailable"
            : answer.code == TRIGGER_PENDING     ? "pending"
                                                 : "?";
    if (!answer.reason.empty()) line += ": " + answer.reason;
    said.push_back(std::move(line));
  }

  std::vector<std::string> said;

 private:
  struct Held {
    std::string payload;
    std::string id;
    trigger_message message{};
  };
  const Clock& clock_;
  std::deque<Held> held_;
  std::deque<const trigger_message*> waiting_;
};

class ContentStageTest : public testing::Test {
 protected:
  ContentStage& stage(content::Options options) {
    stage_ = std::make_unique<ContentStage>("t", std::move(options), host_, log_, clock_);
    stage_->serve(source_);
    return *stage_;
  }
  static std::string payload_of(const trigger_message* message) {
    return message == nullptr ? "(none)" : std::string(view(message->payload));
  }
  // Has every message handled; the payloads that the service saw.
  std::vector<std::string> handle_all(const Answer& answer = {.code = TRIGGER_OK}) {
    std::vector<std::string> seen;
    const trigger_message* message = stage_->take(stop_.get_token());
    while (message != nullptr) {
      seen.push_back(payload_of(message));
      message = stage_->exchange(*message, answer, stop_.get_token());
    }
    return seen;
  }
  using Texts = std::vector<std::string>;

  FakeClock clock_;
  RecordingHost host_;
  RememberingLog log_;
  Messages source_{clock_};
  std::stop_source stop_;
  std::unique_ptr<ContentStage> stage_;
};

TEST_F(ContentStageTest, TheServiceSeesOnlyWhatIsWanted) {
  stage({.when = ". > 1"});
  for (const char* payload : {"1", "2", "0", "3"}) source_.add(payload);
  EXPECT_EQ(handle_all(), (Texts{"2", "3"}));
  EXPECT_EQ(source_.said, (Texts{"1 filtered", "2 ok", "3 filtered", "4 ok"}));
}

TEST_F(ContentStageTest, TheServiceSeesWhatTheProgramMakes) {
  stage({.transform = "{n: .}"});
  source_.add("7");
  const trigger_message* const message = stage_->take({});
  EXPECT_EQ(payload_of(message), R"({"n":7})");
  EXPECT_EQ(message->token, 1U);
  EXPECT_EQ(view(message->id), "id1");
  EXPECT_EQ(view(message->topic), "plant/a");
  EXPECT_EQ(message->qos, 1U);
  EXPECT_EQ(&stage_->as_received(*message), source_.original(1));
  stage_->answered(*message, {.code = TRIGGER_RETRY, .reason = "busy"});
  EXPECT_EQ(source_.said, Texts{"1 retry: busy"});
}

TEST_F(ContentStageTest, TheLogSaysWhatTheServiceGets) {
  stage({.when = ". != 2", .transform = "{n: .}"});
  for (const char* payload : {"1", "2"}) source_.add(payload);
  handle_all();
  EXPECT_EQ(log_.texts("plugin.message"), Texts{R"(the service gets {"n":1})"});
}

TEST_F(ContentStageTest, WhatCannotBeEvaluatedIsRejectedOrPassed) {
  stage({.when = ".a > 1"});
  source_.add("ON");
  EXPECT_EQ(handle_all(), Texts{});
  ASSERT_EQ(source_.said.size(), 1U);
  EXPECT_EQ(source_.said[0].find("1 reject: payload: no JSON"), 0U);
  stage({.transform = ".a", .on_error = content::OnError::pass});
  source_.add("ON");
  EXPECT_EQ(handle_all(), Texts{"ON"});
  EXPECT_EQ(source_.said.back(), "2 ok");
}

TEST_F(ContentStageTest, AReasonIsNoLongerThanTheAbiHas) {
  stage({.when = "error(\"x\" * 300)"});
  source_.add("1");
  handle_all();
  EXPECT_LT(source_.said.at(0).size(), 2 + 8 + sizeof(trigger_result::reason));
}

// ---- Split ----

TEST_F(ContentStageTest, PartsAreHandedOverOneAfterAnother) {
  stage({.transform = ".[]", .split = true});
  source_.add("[1,2,3]");
  source_.add("[4]");
  source_.add("[]");
  EXPECT_EQ(handle_all(), (Texts{"1", "2", "3", "4"}));
  EXPECT_EQ(source_.said, (Texts{"1 ok", "2 ok", "3 filtered"}));
}

TEST_F(ContentStageTest, PartsHaveIdsAndTokensOfTheirOwn) {
  stage({.transform = ".[]", .split = true});
  source_.add("[1,2]");
  const trigger_message* const first = stage_->take({});
  const std::uint64_t token = first->token;
  EXPECT_EQ(view(first->id), "id1-1");
  const trigger_message* const second = stage_->exchange(*first, {.code = TRIGGER_OK}, {});
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(view(second->id), "id1-2");
  EXPECT_NE(second->token, token);
  EXPECT_EQ(&stage_->as_received(*second), source_.original(1));
}

TEST_F(ContentStageTest, ARejectedPartRejectsTheMessageOnceAllHaveHadTheirTurn) {
  stage({.transform = ".[]", .split = true});
  source_.add("[1,2,3]");
  const trigger_message* part = stage_->take({});
  part = stage_->exchange(*part, {.code = TRIGGER_OK}, {});
  part = stage_->exchange(*part, {.code = TRIGGER_REJECT, .reason = "no such device"}, {});
  ASSERT_EQ(payload_of(part), "3");
  EXPECT_EQ(stage_->exchange(*part, {.code = TRIGGER_OK}, {}), nullptr);
  EXPECT_EQ(source_.said, Texts{"1 reject: part 2 of 3: no such device"});
}

TEST_F(ContentStageTest, APartThatIsToBeTriedAgainEndsTheAttempt) {
  for (const auto& [code, word] : {std::pair<std::int32_t, const char*>{TRIGGER_RETRY, "retry"},
                                   {TRIGGER_UNAVAILABLE, "unavailable"}}) {
    source_.said.clear();
    stage({.transform = ".[]", .split = true});
    source_.add("[1,2,3]");
    const trigger_message* part = stage_->take({});
    part = stage_->exchange(*part, {.code = TRIGGER_REJECT, .reason = "no"}, {});
    EXPECT_EQ(stage_->exchange(*part, {.code = code, .reason = "away"}, {}), nullptr);
    ASSERT_EQ(source_.said.size(), 1U);
    EXPECT_EQ(source_.said[0].substr(2), std::string(word) + ": part 2 of 3: away");
  }
}

TEST_F(ContentStageTest, PartsShareTheTimeOfTheirMessage) {
  stage({.transform = ".[]", .split = true});
  source_.add("[1,2,3]", Millis(100));
  const trigger_message* part = stage_->take({});
  clock_.advance(Millis(99));
  part = stage_->exchange(*part, {.code = TRIGGER_OK}, {});
  ASSERT_EQ(payload_of(part), "2");
  EXPECT_EQ(stage_->extend(part->token, 50), TRIGGER_OK);
  EXPECT_EQ(host_.extended_ms(), 50U);
  clock_.advance(Millis(49));
  part = stage_->exchange(*part, {.code = TRIGGER_OK}, {});
  ASSERT_EQ(payload_of(part), "3");
  stage_->exchange(*part, {.code = TRIGGER_OK}, {});
  EXPECT_EQ(source_.said, Texts{"1 ok"});

  source_.add("[1,2]", Millis(100));
  part = stage_->take({});
  clock_.advance(Millis(100));
  EXPECT_EQ(stage_->exchange(*part, {.code = TRIGGER_OK}, {}), nullptr);
  EXPECT_EQ(source_.said.back(), "2 retry: no time is left for part 2 of 2");
}

TEST_F(ContentStageTest, AStopEndsTheAttemptBetweenParts) {
  stage({.transform = ".[]", .split = true});
  source_.add("[1,2]");
  const trigger_message* const part = stage_->take(stop_.get_token());
  stop_.request_stop();
  EXPECT_EQ(stage_->exchange(*part, {.code = TRIGGER_OK}, stop_.get_token()), nullptr);
  EXPECT_EQ(source_.said, Texts{"1 unavailable: the service ends before part 2 of 2"});
}

// ---- Batches ----

TEST_F(ContentStageTest, ABatchHasOnlyWhatIsWanted) {
  stage({.when = ". > 1"});
  for (const char* payload : {"2", "1", "3", "ON"}) source_.add(payload);
  std::vector<const trigger_message*> batch{stage_->take({})};
  stage_->take_more(batch);
  ASSERT_EQ(batch.size(), 2U);
  EXPECT_EQ(payload_of(batch[1]), "3");
  ASSERT_EQ(source_.said.size(), 2U);
  EXPECT_EQ(source_.said[0], "2 filtered");
  EXPECT_EQ(source_.said[1].find("4 reject: "), 0U);
  source_.said.clear();
  stage_->batch_answered(batch, {{.code = TRIGGER_OK}, {.code = TRIGGER_RETRY}});
  EXPECT_EQ(source_.said, (Texts{"1 ok", "3 retry"}));
}

// Each look at it takes 60 ms.
class TickingClock final : public Clock {
 public:
  Monotonic now() const override { return now_ += Millis(60); }
  Wall wall() const override { return {}; }

 private:
  mutable Monotonic now_{std::chrono::seconds(1)};
};

TEST_F(ContentStageTest, ABatchDoesNotWaitForAllThatIsToBeEvaluated) {
  const TickingClock clock;
  ContentStage slow("t", {.when = ". != 5", .timeout = Millis(100)}, host_, log_, clock);
  slow.serve(source_);
  for (const char* payload : {"1", "2", "3", "4", "5", "6"}) source_.add(payload);
  std::vector<const trigger_message*> batch{slow.take({})};
  slow.take_more(batch);
  ASSERT_EQ(batch.size(), 2U) << "the second one took more than half of the time";
  slow.batch_answered(batch, {{.code = TRIGGER_OK}, {.code = TRIGGER_OK}});
  std::vector<std::string> seen;
  const trigger_message* message = slow.take({});
  while (message != nullptr) {
    seen.push_back(payload_of(message));
    slow.answered(*message, {.code = TRIGGER_OK});
    message = slow.take({});
  }
  EXPECT_EQ(seen, (Texts{"3", "4", "6"}));
  EXPECT_EQ(source_.said.size(), 6U);
}

TEST_F(ContentStageTest, WhatABatchHasPutBackComesBeforeTheSourceIsWaitedFor) {
  const TickingClock clock;
  ContentStage slow("t", {.when = "true", .timeout = Millis(1)}, host_, log_, clock);
  slow.serve(source_);
  for (const char* payload : {"1", "2", "3"}) source_.add(payload);
  std::vector<const trigger_message*> batch{slow.take({})};
  slow.take_more(batch);
  ASSERT_EQ(batch.size(), 1U);
  std::vector<std::string> seen;
  const trigger_message* message = batch.front();
  while (message != nullptr) {  // as a worker does with one message
    seen.push_back(payload_of(message));
    message = slow.exchange(*message, {.code = TRIGGER_OK}, {});
  }
  EXPECT_EQ(seen, (Texts{"1", "2", "3"}));
}

TEST_F(ContentStageTest, PartsOfOneMessageAreABatch) {
  stage({.transform = ".[]", .split = true});
  source_.add("[1,2,3]");
  source_.add("[4]");
  std::vector<const trigger_message*> batch{stage_->take({})};
  stage_->take_more(batch);
  ASSERT_EQ(batch.size(), 3U);
  stage_->batch_answered(batch,
                         {{.code = TRIGGER_OK}, {.code = TRIGGER_REJECT}, {.code = TRIGGER_OK}});
  EXPECT_EQ(source_.said, Texts{"1 reject: part 2 of 3: "});
  EXPECT_EQ(payload_of(stage_->take({})), "4");
}

TEST_F(ContentStageTest, MorePartsThanABatchHoldsGoIntoSeveral) {
  stage({.transform = "range(300)", .split = true});
  source_.add("1");
  std::vector<const trigger_message*> batch{stage_->take({})};
  stage_->take_more(batch);
  ASSERT_EQ(batch.size(), kMaxBatch);
  stage_->batch_answered(batch, std::vector<Answer>(batch.size(), {.code = TRIGGER_OK}));
  EXPECT_EQ(source_.said, Texts{});
  batch.assign(1, stage_->take({}));
  stage_->take_more(batch);
  ASSERT_EQ(batch.size(), 300 - kMaxBatch);
  EXPECT_EQ(payload_of(batch.back()), "299");
  stage_->batch_answered(batch, std::vector<Answer>(batch.size(), {.code = TRIGGER_OK}));
  EXPECT_EQ(source_.said, Texts{"1 ok"});
}

TEST_F(ContentStageTest, AStopFindsPartsThatNoBatchHas) {
  stage({.transform = "range(300)", .split = true});
  source_.add("1");
  std::vector<const trigger_message*> batch{stage_->take({})};
  stage_->take_more(batch);
  stage_->batch_answered(batch, std::vector<Answer>(batch.size(), {.code = TRIGGER_OK}));
  stop_.request_stop();
  EXPECT_EQ(stage_->take(stop_.get_token()), nullptr);
  EXPECT_EQ(source_.said, Texts{"1 unavailable: the service ends before part 257 of 300"});
}

// ---- Pending ----

TEST_F(ContentStageTest, APendingMessageIsCompletedByItsOwnToken) {
  stage({.transform = "{n: .}"});
  source_.add("7");
  const trigger_message* const message = stage_->take({});
  stage_->answered(*message, {.code = TRIGGER_PENDING});
  EXPECT_EQ(source_.said, Texts{"1 pending"});
  EXPECT_EQ(payload_of(message), R"({"n":7})");  // the service still reads it
  EXPECT_EQ(stage_->held(), 1U);
  EXPECT_EQ(stage_->complete(1, {.code = TRIGGER_OK}), TRIGGER_OK);
  EXPECT_EQ(stage_->held(), 0U);
  ASSERT_EQ(host_.completed().size(), 1U);
  EXPECT_EQ(host_.completed()[0].token, 1U);
  EXPECT_EQ(stage_->complete(1, {.code = TRIGGER_OK}), TRIGGER_E_STALE);
}

TEST_F(ContentStageTest, ACompletionMayComeBeforeTheCallReturns) {
  stage({.transform = "{n: .}"});
  source_.add("7");
  const trigger_message* const message = stage_->take({});
  EXPECT_EQ(stage_->complete(1, {.code = TRIGGER_OK}), TRIGGER_OK);
  EXPECT_EQ(payload_of(message), R"({"n":7})");
  stage_->answered(*message, {.code = TRIGGER_PENDING});
  EXPECT_EQ(source_.said, Texts{"1 pending"});
  EXPECT_EQ(host_.completed().size(), 1U);
}

TEST_F(ContentStageTest, PendingPartsCompleteTheirMessageTogether) {
  stage({.transform = ".[]", .split = true});
  source_.add("[1,2,3]");
  std::vector<std::uint64_t> tokens;
  const trigger_message* part = stage_->take({});
  while (part != nullptr) {
    tokens.push_back(part->token);
    part = stage_->exchange(*part, {.code = TRIGGER_PENDING}, {});
  }
  ASSERT_EQ(tokens.size(), 3U);
  EXPECT_EQ(source_.said, Texts{"1 pending"});
  EXPECT_EQ(stage_->complete(tokens[2], {.code = TRIGGER_OK}), TRIGGER_OK);
  EXPECT_EQ(stage_->complete(tokens[2], {.code = TRIGGER_OK}), TRIGGER_E_STALE);
  EXPECT_EQ(stage_->complete(tokens[0], {.code = TRIGGER_PENDING}), TRIGGER_E_INVALID);
  EXPECT_EQ(stage_->complete(tokens[0], {.code = TRIGGER_REJECT, .reason = "no"}), TRIGGER_OK);
  EXPECT_TRUE(host_.completed().empty());
  EXPECT_EQ(stage_->complete(tokens[1], {.code = TRIGGER_OK}), TRIGGER_OK);
  ASSERT_EQ(host_.completed().size(), 1U);
  EXPECT_EQ(host_.completed()[0].token, 1U);
  EXPECT_EQ(host_.completed()[0].answer.code, TRIGGER_REJECT);
  EXPECT_EQ(host_.completed()[0].answer.reason, "part 1 of 3: no");
  EXPECT_EQ(stage_->extend(tokens[1], 10), TRIGGER_E_STALE);
}

TEST_F(ContentStageTest, APartMayBeCompletedBeforeItsCallReturns) {
  stage({.transform = ".[]", .split = true});
  source_.add("[1,2]");
  const trigger_message* part = stage_->take({});
  EXPECT_EQ(stage_->complete(part->token, {.code = TRIGGER_OK}), TRIGGER_OK);
  EXPECT_EQ(stage_->complete(part->token, {.code = TRIGGER_OK}), TRIGGER_E_STALE);
  part = stage_->exchange(*part, {.code = TRIGGER_PENDING}, {});
  ASSERT_EQ(payload_of(part), "2");
  EXPECT_EQ(stage_->exchange(*part, {.code = TRIGGER_OK}, {}), nullptr);
  EXPECT_EQ(source_.said, Texts{"1 ok"});
  EXPECT_TRUE(host_.completed().empty());
}

TEST_F(ContentStageTest, AFailedPartWaitsForThePendingOnes) {
  stage({.transform = ".[]", .split = true});
  source_.add("[1,2,3]");
  const trigger_message* const first = stage_->take({});
  const std::uint64_t token = first->token;
  const trigger_message* const second = stage_->exchange(*first, {.code = TRIGGER_PENDING}, {});
  EXPECT_EQ(stage_->exchange(*second, {.code = TRIGGER_RETRY, .reason = "busy"}, {}), nullptr);
  EXPECT_EQ(source_.said, Texts{"1 pending"});
  EXPECT_EQ(stage_->complete(token, {.code = TRIGGER_OK}), TRIGGER_OK);
  ASSERT_EQ(host_.completed().size(), 1U);
  EXPECT_EQ(host_.completed()[0].answer.code, TRIGGER_RETRY);
  EXPECT_EQ(host_.completed()[0].answer.reason, "part 2 of 3: busy");
}

TEST_F(ContentStageTest, ALateCompletionLeavesNothingBehind) {
  stage({.transform = "{n: .}"});
  source_.add("7");
  const trigger_message* const message = stage_->take({});
  ASSERT_EQ(host_.complete(1, {.code = TRIGGER_OK}), TRIGGER_OK);  // its deadline has passed
  EXPECT_EQ(stage_->complete(1, {.code = TRIGGER_OK}), TRIGGER_E_STALE);
  stage_->answered(*message, {.code = TRIGGER_PENDING});
  EXPECT_EQ(source_.said, Texts{"1 pending"});
  EXPECT_EQ(stage_->held(), 0U);
}

TEST_F(ContentStageTest, NothingIsKnownAfterTheServiceHasStopped) {
  stage({.transform = ".[]", .split = true});
  source_.add("[1,2]");
  const trigger_message* part = stage_->take({});
  const std::uint64_t token = part->token;
  part = stage_->exchange(*part, {.code = TRIGGER_PENDING}, {});
  stage_->exchange(*part, {.code = TRIGGER_OK}, {});
  stage_->forget();
  EXPECT_EQ(stage_->complete(token, {.code = TRIGGER_OK}), TRIGGER_E_STALE);
  EXPECT_TRUE(host_.completed().empty());
}

TEST_F(ContentStageTest, AProbePassesThrough) {
  class Probing final : public WorkSource {
   public:
    const trigger_message* take(std::stop_token) override { return &kProbe; }
    void answered(const trigger_message&, Answer) override {}
    void probed(const Result<>& outcome) override { good = outcome.has_value(); }
    bool good = false;
  } probing;
  stage({.when = "true"}).serve(probing);
  EXPECT_EQ(stage_->take({}), &WorkSource::kProbe);
  EXPECT_EQ(&stage_->as_received(WorkSource::kProbe), &WorkSource::kProbe);
  stage_->probed({});
  EXPECT_TRUE(probing.good);
}

}  // namespace
}  // namespace triggerd::plugin
