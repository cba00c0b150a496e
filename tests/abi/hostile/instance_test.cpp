// An instance's life, and the services that break its rules.
#include "hostile_fixture.hpp"

namespace triggerd::plugin {
namespace {

using Texts = std::vector<std::string>;

class InstanceTest : public HostileTest {
 protected:
  InstanceTest() : generation_(load(source("naughty"))) {}

  // Runs messages through a started instance, one after another.
  std::vector<FakeSource::Answered> handle(Instance& instance, const Texts& topics) {
    FakeSource messages;
    EXPECT_TRUE(instance.run_workers(messages, 1));
    for (const std::string& topic : topics) messages.push(topic);
    auto answers = messages.answers(topics.size());
    EXPECT_TRUE(instance.join_workers(soon()));
    EXPECT_EQ(answers.size(), topics.size());
    return answers;
  }
  std::string create_error(const std::string& act) {
    const auto instance = generation_->create(make_trigger(act), host_);
    return instance ? "no error" : instance.error().message;
  }

  const std::shared_ptr<Generation> generation_;
};

TEST_F(InstanceTest, LivesInItsOrder) {
  auto instance = create(generation_, make_trigger());
  EXPECT_EQ(instance->service_name(), "naughty");
  ASSERT_TRUE(instance->start());
  handle(*instance, {"a", "b"});
  instance->stop();
  ASSERT_TRUE(instance->start()) << "stop can be undone";
  handle(*instance, {"c"});
  instance->stop();
  instance.reset();
  EXPECT_EQ(said(), (Texts{"entry", "create", "start", "handle a 1", "handle b 2", "stop", "start",
                           "handle c 3", "stop", "destroy"}));
}

TEST_F(InstanceTest, IsStoppedBeforeItIsDestroyed) {
  auto instance = create(generation_, make_trigger());
  ASSERT_TRUE(instance->start());
  FakeSource messages;
  ASSERT_TRUE(instance->run_workers(messages, 1));
  instance.reset();
  EXPECT_EQ(said(), (Texts{"entry", "create", "start", "stop", "destroy"}));
}

TEST_F(InstanceTest, OneThatWasOnlyMadeIsOnlyDestroyed) {
  create(generation_, make_trigger()).reset();
  EXPECT_EQ(said(), (Texts{"entry", "create", "destroy"}));
}

TEST_F(InstanceTest, GetsItsSettings) {
  config::Trigger trigger = make_trigger("log settings", "high-temperature");
  trigger.service = "naughty-crowd";
  trigger.concurrency = 4;
  trigger.settings.json = R"({"act":"log settings","limits":{"high":80}})";
  trigger.settings.flat.push_back({"limits.high", "80", config::Setting::Type::integer});
  trigger.settings.flat.push_back({"ratio", "2.5", config::Setting::Type::floating});
  trigger.settings.flat.push_back({"loud", "true", config::Setting::Type::boolean});
  create(generation_, trigger).reset();
  EXPECT_EQ(said().at(1),
            "high-temperature plant 4 {\"act\":\"log settings\",\"limits\":{\"high\":80}} act=log "
            "settings:0 limits.high=80:1 ratio=2.5:2 loud=true:3");
  EXPECT_EQ(log_.lines("plugin.log").at(1).fields.at("trigger"), "high-temperature");
}

TEST_F(InstanceTest, ARefusalOfCreateCarriesItsReason) {
  EXPECT_EQ(create_error("refuse in create"),
            "service \"naughty:naughty\" cannot be created: settings.limit: not a number "
            "(create returned -1)");
  EXPECT_EQ(create_error("throw in create"),
            "service \"naughty:naughty\" cannot be created: create threw an exception "
            "across the C ABI: thrown in create");
  EXPECT_EQ(said(), Texts{"entry"}) << "destroy is not called";
}

TEST_F(InstanceTest, ARefusalOfStartCanBeTriedAgain) {
  for (const auto& [act, reason] :
       {std::pair{"refuse in start", "no database (start returned -1)"},
        std::pair{"throw in start",
                  "start threw an exception across the C ABI: thrown in start"}}) {
    auto instance = create(generation_, make_trigger(act));
    for (int attempt = 0; attempt < 2; ++attempt) {
      const auto started = instance->start();
      ASSERT_FALSE(started);
      EXPECT_EQ(started.error().message,
                fmt::format("service \"naughty:naughty\" does not start: {}", reason));
    }
  }
  EXPECT_EQ(said(), (Texts{"entry", "create", "start", "start", "destroy", "create", "start",
                           "start", "destroy"}));
}

TEST_F(InstanceTest, ExceptionsOfStopAndDestroyAreReported) {
  auto stops = create(generation_, make_trigger("throw in stop", "a"));
  ASSERT_TRUE(stops->start());
  stops->stop();
  stops.reset();
  create(generation_, make_trigger("throw in destroy", "b")).reset();
  const auto lines = log_.lines("plugin.exception");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].text, "stop threw an exception across the C ABI: thrown in stop");
  EXPECT_EQ(lines[0].fields.at("trigger"), "a");
  EXPECT_EQ(lines[1].text, "destroy threw an exception across the C ABI: thrown in destroy");
  EXPECT_EQ(lines[1].fields.at("trigger"), "b");
}

TEST_F(InstanceTest, AnswersAreHandedOverAsTheyAre) {
  auto instance = create(generation_, make_trigger());
  ASSERT_TRUE(instance->start());
  const auto answers = handle(*instance, {"a", "nonsense", "throw", "throw nothing known", "b"});
  EXPECT_EQ(answers[0].answer.code, TRIGGER_OK);
  EXPECT_EQ(answers[1].answer.code, 4711);
  EXPECT_EQ(answers[2].answer.code, TRIGGER_RETRY);
  EXPECT_EQ(answers[2].answer.reason,
            "the service threw an exception across the C ABI: no such sensor");
  EXPECT_EQ(answers[3].answer.code, TRIGGER_RETRY);
  EXPECT_EQ(answers[4].answer.code, TRIGGER_OK) << "the worker lives on";
}

TEST_F(InstanceTest, ACompletionMayComeBeforeHandleReturnsAndTwice) {
  auto instance = create(generation_, make_trigger());
  ASSERT_TRUE(instance->start());
  const auto answers = handle(*instance, {"complete before return", "complete twice"});
  EXPECT_EQ(answers[0].answer.code, TRIGGER_PENDING);
  EXPECT_EQ(answers[1].answer.code, TRIGGER_PENDING);
  const auto completed = host_.completed();
  ASSERT_EQ(completed.size(), 3u);
  EXPECT_EQ(completed[0].token, 1u);
  EXPECT_EQ(completed[1].token, 2u);
  EXPECT_EQ(completed[2].token, 2u);
  EXPECT_TRUE(log_.wait_for("complete 0"));
  EXPECT_TRUE(log_.wait_for(fmt::format("complete 0 {}", TRIGGER_E_STALE)));
}

TEST_F(InstanceTest, APublishIsToldWhenTheServerHasIt) {
  auto instance = create(generation_, make_trigger());
  ASSERT_TRUE(instance->start());
  handle(*instance, {"publish", "publish"});
  const auto published = host_.published(2);
  ASSERT_EQ(published.size(), 2u);
  EXPECT_EQ(published[0].topic, "from/naughty");
  published[0].done(TRIGGER_OK, "has it");
  EXPECT_TRUE(log_.wait_for("done 0 has it"));
  published[1].done(TRIGGER_E_NOT_CONNECTED, "cut off");
  EXPECT_TRUE(log_.wait_for("done -5 cut off"));
}

TEST_F(InstanceTest, StopCancelsPublishesFirst) {
  auto instance = create(generation_, make_trigger("publish in stop"));
  ASSERT_TRUE(instance->start());
  handle(*instance, {"publish"});
  const auto published = host_.published(1);
  instance->stop();
  instance.reset();
  published.at(0).done(TRIGGER_OK, "too late");
  EXPECT_EQ(said(), (Texts{"entry", "create", "start", "handle publish 1", "publish 0",
                           "done -8 the instance is stopping", "publish -7", "stop", "destroy"}));
}

TEST_F(InstanceTest, StartMayPublishAndThenRefuse) {
  auto starts = create(generation_, make_trigger("publish in start"));
  ASSERT_TRUE(starts->start());
  starts.reset();
  auto refuses = create(generation_, make_trigger("publish and refuse in start"));
  EXPECT_FALSE(refuses->start());
  refuses.reset();
  EXPECT_EQ(said(), (Texts{"entry", "create", "start", "publish 0",
                           "done -8 the instance is stopping", "stop", "destroy", "create", "start",
                           "publish 0", "done -8 the instance is stopping", "destroy"}));
}

TEST_F(InstanceTest, ADoneThatThrowsIsReported) {
  auto instance = create(generation_, make_trigger("throw in done"));
  ASSERT_TRUE(instance->start());
  handle(*instance, {"publish"});
  instance->stop();
  EXPECT_EQ(log_.texts("plugin.exception"),
            Texts{"a done callback threw an exception across the C ABI: not a std::exception"});
}

TEST_F(InstanceTest, ItsOwnThreadsAreItsOwnBusinessUntilStop) {
  auto instance = create(generation_, make_trigger("own a thread"));
  ASSERT_TRUE(instance->start());
  instance->stop();
  instance.reset();
  EXPECT_EQ(said(), (Texts{"entry", "create", "start", "own thread ends", "stop", "destroy"}));
  EXPECT_TRUE(log_.texts("plugin.threads_left").empty());
  EXPECT_FALSE(generation_->abandoned());
}

TEST_F(InstanceTest, WorkersOfTwoInstancesServeTheirOwn) {
  auto a = create(generation_, make_trigger("", "a"));
  auto b = create(generation_, make_trigger("", "b"));
  ASSERT_TRUE(a->start());
  ASSERT_TRUE(b->start());
  FakeSource for_a;
  FakeSource for_b;
  ASSERT_TRUE(a->run_workers(for_a, 1));
  ASSERT_TRUE(b->run_workers(for_b, 1));
  for_a.push("x");
  for_b.push("y");
  EXPECT_EQ(for_a.answers(1).at(0).topic, "x");
  EXPECT_EQ(for_b.answers(1).at(0).topic, "y");
  EXPECT_TRUE(a->join_workers(soon()));
  EXPECT_TRUE(b->join_workers(soon()));
  a->stop();
  b->stop();
}

}  // namespace
}  // namespace triggerd::plugin
