#include "trigger/service_slot.hpp"

#include <gtest/gtest.h>

#include <map>

#include "config/trigger.hpp"
#include "support/capture_log.hpp"
#include "unit/dispatch/dispatcher_fixture.hpp"
#include "unit/trigger/scripted_instance.hpp"

namespace triggerd::trigger {
namespace {

class ServiceSlotTest : public dispatch::DispatcherTest {
 protected:
  ServiceSlotTest() {
    trigger_.name = "t";
    trigger_.plugin = "p";
    trigger_.concurrency = 2;
    options_.retry.max_attempts = 1;
  }

  std::unique_ptr<plugin::Instance> instance(const std::string& name, Behaviour behaviour = {}) {
    return std::make_unique<ScriptedInstance>(name, std::move(behaviour), script_);
  }
  ServiceSlot& slot() {
    if (!slot_) {
      slot_ = std::make_unique<ServiceSlot>(
          trigger_, dispatcher(), clock_, [] { return 1.0; },
          ServiceSlot::Events{.stopping = [this] { return stopping_; },
                              .serves_changed = [this] { ++changes_; },
                              .start_later = [this](Millis delay) { later_.push_back(delay); },
                              .try_again_later = [this] { ++tries_again_; }},
          log_);
    }
    return *slot_;
  }
  void serve(const std::string& name, Behaviour behaviour = {}) {
    slot().serve({.instance = instance(name, std::move(behaviour))});
  }
  std::shared_ptr<Monitor> monitor(const std::string& name, Behaviour behaviour = {}) {
    behaviour.has_probe = true;
    const auto make = [&](const config::Trigger&, plugin::InstanceHost&) {
      return Result<std::unique_ptr<plugin::Instance>>(instance(name, behaviour));
    };
    return Monitor::make(
               make, trigger_, [](const Result<>&) {}, clock_)
        .value();
  }
  Script script() { return std::exchange(script_, {}); }

  config::Trigger trigger_;
  triggerd::test::CaptureLog log_;
  Script script_;
  bool stopping_ = false;
  int changes_ = 0;
  int tries_again_ = 0;
  std::vector<Millis> later_;
  std::unique_ptr<ServiceSlot> slot_;
};

TEST_F(ServiceSlotTest, StartsWithAsManyWorkersAsTheTriggerSays) {
  serve("a");
  EXPECT_FALSE(slot().serves());
  ASSERT_TRUE(slot().start());
  EXPECT_EQ(script(), (Script{"a.start", "a.run 2"}));
  EXPECT_TRUE(slot().serves());
  EXPECT_EQ(slot().service_name(), "a");
  EXPECT_EQ(slot().metrics().size(), 1u);
  EXPECT_TRUE(later_.empty());
}

TEST_F(ServiceSlotTest, AStartThatFailsIsTriedAgainLaterAndLater) {
  serve("a", {.starts = false});
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(slot().start());
  EXPECT_EQ(later_, (std::vector<Millis>{Millis(1'000), Millis(2'000), Millis(4'000)}));
  EXPECT_EQ(slot().start_failure(), "its service did not start: a start failed");
  EXPECT_FALSE(slot().serves());
  const auto lines = log_.lines("trigger.not_running");
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0].level, LogLevel::error);
  EXPECT_EQ(lines[1].level, LogLevel::debug) << "the same reason is not told each time";
  clock_.advance(Millis(300'000));
  EXPECT_FALSE(slot().start());
  EXPECT_EQ(log_.lines("trigger.not_running").back().level, LogLevel::error) << "but now and then";
}

TEST_F(ServiceSlotTest, WithoutThreadsForItsWorkersItIsStoppedAgain) {
  serve("a", {.runs = false});
  EXPECT_FALSE(slot().start());
  EXPECT_EQ(script(), (Script{"a.start", "a.run 2", "a.stop"}));
  EXPECT_EQ(later_.size(), 1u);
}

TEST_F(ServiceSlotTest, WhileTheRuntimeStopsNothingIsStarted) {
  serve("a");
  stopping_ = true;
  EXPECT_FALSE(slot().start());
  EXPECT_TRUE(script().empty());
  EXPECT_TRUE(later_.empty());
}

TEST_F(ServiceSlotTest, ASuccessorGetsTheStateAndThePredecessorGoesWhenItIsForgotten) {
  serve("a", {.state = "7"});
  ASSERT_TRUE(slot().start());
  script();
  slot().prepare({.instance = instance("b")});
  ASSERT_TRUE(slot().hand_over(clock_.now(), true));
  EXPECT_EQ(script(), (Script{"a.join", "a.stop", "a.save", "b.restore 7", "b.start", "b.run 2"}));
  EXPECT_EQ(slot().service_name(), "b");
  slot().forget_predecessor();
  EXPECT_EQ(script(), Script{"a.gone"});
  EXPECT_EQ(tries_again_, 0);
}

TEST_F(ServiceSlotTest, WithoutStateItDoesNotMatterThatItCouldNotBeSaved) {
  serve("a", {.saves = false, .state = "7"});
  ASSERT_TRUE(slot().start());
  slot().prepare({.instance = instance("b")});
  script();
  ASSERT_TRUE(slot().hand_over(clock_.now(), false));
  EXPECT_EQ(script(), (Script{"a.join", "a.stop", "a.save", "b.start", "b.run 2"}));
}

TEST_F(ServiceSlotTest, WhateverFailsTheOldServiceServesAgain) {
  const std::map<std::string, std::pair<Behaviour, Behaviour>> cases{
      {"save", {{.saves = false}, {}}},
      {"restore", {{.state = "7"}, {.restores = false}}},
      {"start", {{.state = "7"}, {.starts = false}}},
      {"run", {{}, {.runs = false}}},
  };
  for (const auto& [name, behaviours] : cases) {
    SCOPED_TRACE(name);
    slot_.reset();
    serve("a", behaviours.first);
    ASSERT_TRUE(slot().start());
    slot().prepare({.instance = instance("b", behaviours.second)});
    script();
    EXPECT_FALSE(slot().hand_over(clock_.now(), true));
    const Script done = script();
    ASSERT_GE(done.size(), 2u);
    EXPECT_EQ(done[done.size() - 2], "a.start");
    EXPECT_EQ(done.back(), "a.run 2");
    EXPECT_TRUE(slot().serves());
    EXPECT_EQ(slot().service_name(), "a");
    EXPECT_TRUE(later_.empty());
    slot().drop_successor();
    EXPECT_EQ(script(), Script{"b.gone"});
  }
}

TEST_F(ServiceSlotTest, WhereNeitherTheNewServiceNorTheOldOneStartsTheOldOneIsTriedAgainLater) {
  serve("a", {.starts_at_most = 1});
  ASSERT_TRUE(slot().start());
  slot().prepare({.instance = instance("b", {.starts = false})});
  script();
  const auto done = slot().hand_over(clock_.now(), true);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message, "b start failed") << "why there is no hand-over";
  EXPECT_EQ(script(), (Script{"a.join", "a.stop", "a.save", "b.start", "a.start"}));
  EXPECT_FALSE(slot().serves());
  EXPECT_FALSE(slot().started());
  EXPECT_EQ(slot().start_failure(), "its service did not start: a start failed");
  EXPECT_EQ(later_, std::vector<Millis>{Millis(1'000)});
}

// ---- With a monitor ----

TEST_F(ServiceSlotTest, AMonitorStartsBeforeTheWorkersAndGoesBeforeTheService) {
  slot().serve({.instance = instance("a"), .monitor = monitor("m")});
  ASSERT_TRUE(slot().start());
  EXPECT_EQ(script(), (Script{"a.start", "m.start", "m.run 1", "a.run 2"}));
  slot().join_workers(clock_.now());
  EXPECT_TRUE(slot().stop(clock_.now()));
  EXPECT_TRUE(slot().destroy());
  EXPECT_EQ(script(), (Script{"a.join", "m.join", "m.stop", "a.stop", "a.destroy", "m.destroy"}));
}

TEST_F(ServiceSlotTest, AServiceWhoseMonitorDoesNotStartIsStoppedAgain) {
  slot().serve({.instance = instance("a"), .monitor = monitor("m", {.starts = false})});
  EXPECT_FALSE(slot().start());
  EXPECT_EQ(script(), (Script{"a.start", "m.start", "a.stop"}));
  EXPECT_EQ(slot().start_failure(), "its service did not start: its monitor: m start failed");
  EXPECT_EQ(later_.size(), 1u);
}

TEST_F(ServiceSlotTest, AMonitorIsStoppedWithTheServiceThatGetsNoWorkers) {
  slot().serve({.instance = instance("a", {.runs = false}), .monitor = monitor("m")});
  EXPECT_FALSE(slot().start());
  EXPECT_EQ(script(),
            (Script{"a.start", "m.start", "m.run 1", "a.run 2", "m.join", "m.stop", "a.stop"}));
}

TEST_F(ServiceSlotTest, AMonitorAloneIsReplacedAndItsServiceStays) {
  slot().serve({.instance = instance("a"), .monitor = monitor("m")});
  ASSERT_TRUE(slot().start());
  const auto successor = monitor("n");
  slot().prepare({.monitor = successor});
  script();
  ASSERT_TRUE(slot().hand_over(clock_.now(), true));
  EXPECT_EQ(script(), (Script{"m.join", "m.stop", "a.join", "a.stop", "a.save", "a.start",
                              "n.start", "n.run 1", "a.run 2"}));
  EXPECT_EQ(slot().monitor(), successor);
  EXPECT_EQ(slot().service_name(), "a");
  slot().forget_predecessor();
  EXPECT_EQ(script(), Script{"m.gone"});
}

TEST_F(ServiceSlotTest, AMonitorIsTakenBackWithItsService) {
  const auto old = monitor("m");
  slot().serve({.instance = instance("a"), .monitor = old});
  ASSERT_TRUE(slot().start());
  slot().prepare({.instance = instance("b"), .monitor = monitor("n")});
  ASSERT_TRUE(slot().hand_over(clock_.now(), true));
  script();
  slot().take_back(clock_.now());
  EXPECT_EQ(script(), (Script{"n.join", "n.stop", "b.join", "b.stop", "b.save", "a.start",
                              "m.start", "m.run 1", "a.run 2"}));
  EXPECT_EQ(slot().monitor(), old);
  slot().drop_successor();
  EXPECT_EQ(script(), (Script{"b.gone", "n.gone"}));
}

TEST_F(ServiceSlotTest, AMonitorThatHangsMakesTheEndUnquiet) {
  slot().serve({.instance = instance("a"), .monitor = monitor("m", {.returns = false})});
  ASSERT_TRUE(slot().start());
  slot().join_workers(clock_.now());
  script();
  EXPECT_FALSE(slot().stop(clock_.now()));
  EXPECT_EQ(script(), (Script{"m.join", "m.abandon", "a.stop"}));
  EXPECT_FALSE(slot().destroy()) << "the monitor's plugin stays in memory";
}

// ---- Back again ----

TEST_F(ServiceSlotTest, TheWayBackIsTakenEvenIfTheNewServiceCannotSaveItsState) {
  serve("a");
  ASSERT_TRUE(slot().start());
  slot().prepare({.instance = instance("b", {.saves = false})});
  ASSERT_TRUE(slot().hand_over(clock_.now(), true));
  slot().take_back(clock_.now());
  EXPECT_EQ(slot().service_name(), "a");
  EXPECT_TRUE(slot().serves());
  EXPECT_EQ(log_.last("plugin.reload_failed"), "b save failed");
}

TEST_F(ServiceSlotTest, APredecessorThatDoesNotStartAgainIsTriedAgainLater) {
  serve("a", {.starts_at_most = 1});
  ASSERT_TRUE(slot().start());
  slot().prepare({.instance = instance("b")});
  ASSERT_TRUE(slot().hand_over(clock_.now(), true));
  slot().take_back(clock_.now());
  EXPECT_EQ(slot().service_name(), "a");
  EXPECT_FALSE(slot().serves());
  EXPECT_FALSE(slot().started());
  EXPECT_EQ(later_, std::vector<Millis>{Millis(1'000)});
}

TEST_F(ServiceSlotTest, OneThatWasNotStartedBeforeTheHandOverHasItsProbeAskedAfterIt) {
  serve("a", {.starts = false});
  EXPECT_FALSE(slot().start());
  slot().prepare({.instance = instance("b")});
  ASSERT_TRUE(slot().hand_over(clock_.now(), true));
  EXPECT_EQ(tries_again_, 0);
  slot().forget_predecessor();
  EXPECT_EQ(tries_again_, 1) << "nothing was to be asked before it served";
}

TEST_F(ServiceSlotTest, ThePredecessorServesAgainWhenItIsTakenBack) {
  serve("a", {.state = "7"});
  ASSERT_TRUE(slot().start());
  slot().prepare({.instance = instance("b", {.state = "8"})});
  ASSERT_TRUE(slot().hand_over(clock_.now(), true));
  script();
  slot().take_back(clock_.now());
  EXPECT_EQ(script(), (Script{"b.join", "b.stop", "b.save", "a.start", "a.run 2"}));
  EXPECT_EQ(slot().service_name(), "a");
  slot().drop_successor();
  EXPECT_EQ(script(), Script{"b.gone"});
}

TEST_F(ServiceSlotTest, OneThatWasNotStartedIsReplacedAndTakenBackWithoutBeingStarted) {
  serve("a", {.starts = false});
  EXPECT_FALSE(slot().start());
  script();
  slot().prepare({.instance = instance("b")});
  ASSERT_TRUE(slot().hand_over(clock_.now(), true));
  EXPECT_EQ(script(), (Script{"b.start", "b.run 2"}));
  EXPECT_TRUE(slot().start_failure().empty());
  slot().take_back(clock_.now());
  EXPECT_EQ(script(), (Script{"b.join", "b.stop", "b.save"}));
  EXPECT_FALSE(slot().started());
}

TEST_F(ServiceSlotTest, AServiceThatDoesNotComeBackIsLeftAloneAndLeavesNothing) {
  serve("a", {.returns = false, .state = "7"});
  ASSERT_TRUE(slot().start());
  slot().prepare({.instance = instance("b")});
  script();
  ASSERT_TRUE(slot().hand_over(clock_.now(), true));
  EXPECT_EQ(script(), (Script{"a.join", "a.abandon", "b.start", "b.run 2"}));
  EXPECT_EQ(tries_again_, 1) << "whoever waits for its probe has to ask again";
}

TEST_F(ServiceSlotTest, AnInstanceThatWasLeftAloneIsNotStartedAgain) {
  serve("a", {.returns = false});
  ASSERT_TRUE(slot().start());
  slot().prepare({.instance = instance("b", {.starts = false})});
  // The old one has hung, and the new one does not start.
  ASSERT_FALSE(slot().hand_over(clock_.now(), true));
  EXPECT_TRUE(slot().instance().abandoned());
}

TEST_F(ServiceSlotTest, EndsInSteps) {
  serve("a");
  ASSERT_TRUE(slot().start());
  script();
  slot().end_workers();
  slot().join_workers(clock_.now());
  EXPECT_TRUE(slot().stop(clock_.now()));
  EXPECT_TRUE(slot().destroy());
  EXPECT_EQ(script(), (Script{"a.join", "a.stop", "a.destroy"}));
  EXPECT_TRUE(slot().metrics().empty());
  EXPECT_FALSE(slot().serves());
}

TEST_F(ServiceSlotTest, ACallThatHangsIsToldAtTheEnd) {
  serve("a", {.returns = false});
  ASSERT_TRUE(slot().start());
  slot().join_workers(clock_.now());
  EXPECT_FALSE(slot().stop(clock_.now()));
  EXPECT_FALSE(slot().destroy());
  EXPECT_EQ(log_.count("trigger.hung"), 1u);
}

}  // namespace
}  // namespace triggerd::trigger
