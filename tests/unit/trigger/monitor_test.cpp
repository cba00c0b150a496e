#include "trigger/monitor.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <stop_token>
#include <thread>
#include <utility>

#include "config/trigger.hpp"
#include "support/fake_clock.hpp"
#include "unit/trigger/scripted_instance.hpp"

namespace triggerd::trigger {
namespace {

using plugin::WorkSource;

class MonitorTest : public testing::Test {
 protected:
  MonitorTest() {
    trigger_.plugin = "p";
    trigger_.service = "s";
    trigger_.concurrency = 8;
    trigger_.timeout = Millis(1'000);
    trigger_.monitor_plugin = "watch";
    trigger_.monitor_service = "m";
  }

  Result<std::unique_ptr<Monitor>> make(Behaviour behaviour = {}) {
    behaviour.has_probe = has_probe_;
    const auto create = [this, behaviour](const config::Trigger& settings,
                                          plugin::InstanceHost& host) {
      settings_ = settings;
      host_ = &host;
      auto instance = std::make_unique<ScriptedInstance>("m", behaviour, script_);
      instance_ = instance.get();
      return Result<std::unique_ptr<plugin::Instance>>(std::move(instance));
    };
    const auto answered = [this](const Result<>& outcome) {
      answers_.push_back(outcome ? "well" : outcome.error().message);
    };
    return Monitor::make(create, trigger_, answered, clock_);
  }
  // One that runs, and where its worker takes what it has to do.
  WorkSource& running() {
    monitor_ = make().value();
    EXPECT_TRUE(monitor_->start());
    script_.clear();
    return instance_->source();
  }
  Script script() { return std::exchange(script_, {}); }
  using Answers = std::vector<std::string>;

  test::FakeClock clock_;
  config::Trigger trigger_;
  bool has_probe_ = true;
  Script script_;
  std::optional<config::Trigger> settings_;
  plugin::InstanceHost* host_ = nullptr;
  ScriptedInstance* instance_ = nullptr;
  Answers answers_;
  std::unique_ptr<Monitor> monitor_;
};

// ---- Made, started, stopped ----

TEST_F(MonitorTest, ItsInstanceHasTheSettingsOfTheTriggerForAnotherService) {
  trigger_.settings.json = R"({"url":"http://example.org"})";
  ASSERT_TRUE(make());
  EXPECT_EQ(settings_->plugin, "watch");
  EXPECT_EQ(settings_->service, "m");
  EXPECT_EQ(settings_->concurrency, 1u);
  EXPECT_EQ(settings_->settings.json, trigger_.settings.json);
}

TEST_F(MonitorTest, AServiceWithoutAProbeIsNoMonitor) {
  has_probe_ = false;
  const auto made = make();
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().message, "its monitor: service \"watch:m\" has no probe");
}

TEST_F(MonitorTest, WhyItsInstanceCannotBeMadeIsToldAsTheMonitors) {
  const auto refuse = [](const config::Trigger&, plugin::InstanceHost&) {
    return Result<std::unique_ptr<plugin::Instance>>(fail("no such service"));
  };
  const auto made = Monitor::make(
      refuse, trigger_, [](const Result<>&) {}, clock_);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().message, "its monitor: no such service");
}

TEST_F(MonitorTest, HasOneWorkerFromItsStartToItsEnd) {
  monitor_ = make().value();
  ASSERT_TRUE(monitor_->start());
  EXPECT_EQ(script(), (Script{"m.start", "m.run 1"}));
  EXPECT_TRUE(monitor_->stop(clock_.now()));
  EXPECT_EQ(script(), (Script{"m.join", "m.stop"}));
  EXPECT_TRUE(monitor_->stop(clock_.now()));
  EXPECT_TRUE(script().empty()) << "it was stopped already";
  monitor_->destroy();
  EXPECT_EQ(script(), Script{"m.destroy"});
}

TEST_F(MonitorTest, OneThatDoesNotStartSaysWhoseFailureItIs) {
  monitor_ = make({.starts = false}).value();
  const auto started = monitor_->start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().message, "its monitor: m start failed");
  script();
  EXPECT_TRUE(monitor_->stop(clock_.now()));
  EXPECT_TRUE(script().empty()) << "there is nothing to stop";
}

TEST_F(MonitorTest, WithoutAThreadForItsWorkerItIsStoppedAgain) {
  monitor_ = make({.runs = false}).value();
  EXPECT_FALSE(monitor_->start());
  EXPECT_EQ(script(), (Script{"m.start", "m.run 1", "m.stop"}));
}

TEST_F(MonitorTest, AProbeThatDoesNotComeBackIsLeftAlone) {
  monitor_ = make({.returns = false}).value();
  ASSERT_TRUE(monitor_->start());
  script();
  EXPECT_FALSE(monitor_->stop(clock_.now()));
  EXPECT_EQ(script(), (Script{"m.join", "m.abandon"})) << "nor is its stop called";
  EXPECT_TRUE(monitor_->abandoned());
}

// ---- Asked ----

TEST_F(MonitorTest, ItsProbeIsCalledOnceEachTimeItIsAsked) {
  WorkSource& source = running();
  EXPECT_EQ(source.poll(0).message, nullptr);
  monitor_->ask();
  monitor_->ask();
  EXPECT_EQ(source.poll(0).message, &WorkSource::kProbe);
  EXPECT_EQ(source.poll(0).message, nullptr);
  source.probed({});
  EXPECT_EQ(answers_, Answers{"well"});
  monitor_->ask();
  EXPECT_EQ(source.poll(0).message, &WorkSource::kProbe);
  source.probed(fail("the database is away"));
  EXPECT_EQ(answers_, (Answers{"well", "the database is away"}));
}

TEST_F(MonitorTest, AnAnswerThatNobodyHasAskedForIsIgnored) {
  WorkSource& source = running();
  source.probed({});
  source.lost({.reason = "it has ended"});
  EXPECT_TRUE(answers_.empty());
}

TEST_F(MonitorTest, WhoListensIsWokenAtOnceAndWheneverItIsAsked) {
  WorkSource& source = running();
  int wakes = 0;
  source.listen([&wakes] { ++wakes; });
  EXPECT_EQ(wakes, 1) << "it may have been asked before";
  monitor_->ask();
  EXPECT_EQ(wakes, 2);
  source.listen({});
  monitor_->ask();
  EXPECT_EQ(wakes, 2) << "nobody listens any more";
}

TEST_F(MonitorTest, AWorkerWaitsUntilItIsAskedAndGoesWhenItIsToStop) {
  WorkSource& source = running();
  monitor_->ask();
  std::stop_source stop;
  EXPECT_EQ(source.take(stop.get_token()), &WorkSource::kProbe);
  const trigger_message* taken = &WorkSource::kProbe;
  std::thread worker([&] { taken = source.take(stop.get_token()); });
  stop.request_stop();
  worker.join();
  EXPECT_EQ(taken, nullptr);
}

TEST_F(MonitorTest, AWorkerThatWaitsIsWokenByTheQuestion) {
  WorkSource& source = running();
  std::stop_source stop;
  const trigger_message* taken = nullptr;
  std::thread worker([&] { taken = source.take(stop.get_token()); });
  monitor_->ask();
  worker.join();
  EXPECT_EQ(taken, &WorkSource::kProbe);
}

// ---- A worker process that is gone, or a probe that hangs ----

TEST_F(MonitorTest, AProbeThatTakesLongerThanTheTimeoutIsOverdue) {
  WorkSource& source = running();
  EXPECT_FALSE(source.overrunning());
  monitor_->ask();
  (void)source.poll(0);
  clock_.advance(Millis(999));
  EXPECT_FALSE(source.overrunning());
  clock_.advance(Millis(1));
  EXPECT_TRUE(source.overrunning());
  source.lost({.reason = "it was ended"});
  EXPECT_EQ(answers_, Answers{"its probe did not return within 1s"});
  EXPECT_FALSE(source.overrunning());
}

TEST_F(MonitorTest, AProcessThatEndsInTheProbeAnswersForIt) {
  WorkSource& source = running();
  monitor_->ask();
  (void)source.poll(0);
  source.lost({.reason = "it was ended by signal 11"});
  EXPECT_EQ(answers_, Answers{"it was ended by signal 11"});
  source.probed({});
  EXPECT_EQ(answers_.size(), 1u) << "each question has one answer";
}

TEST_F(MonitorTest, AProbeThatWasNotBegunIsAskedAgain) {
  WorkSource& source = running();
  monitor_->ask();
  (void)source.poll(0);
  source.lost({.why = WorkSource::Loss::Why::not_begun});
  EXPECT_TRUE(answers_.empty());
  EXPECT_EQ(source.poll(0).message, &WorkSource::kProbe);
  source.probed({});
  EXPECT_EQ(answers_, Answers{"well"});
}

// ---- What its service asks of its host ----

TEST_F(MonitorTest, ItHasNoMessagesAndPublishesNothing) {
  WorkSource& source = running();
  EXPECT_EQ(host_->complete(1, {.code = TRIGGER_OK}), TRIGGER_E_STALE);
  EXPECT_EQ(host_->extend(1, 1'000), TRIGGER_E_STALE);
  EXPECT_EQ(
      host_->publish({}, [](std::int32_t, const std::string&) { FAIL() << "it was refused"; }),
      TRIGGER_E_UNSUPPORTED);
  // An instance answers for the messages that it was given; that of a monitor is given none.
  source.answered({}, {.code = TRIGGER_OK});
  EXPECT_TRUE(answers_.empty());
}

}  // namespace
}  // namespace triggerd::trigger
