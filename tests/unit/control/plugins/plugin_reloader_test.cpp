#include "control/plugins/plugin_reloader.hpp"

#include <gtest/gtest.h>

#include "unit/control/plugins/scripted_plugins.hpp"

namespace triggerd::control::test {
namespace {

class PluginReloaderTest : public ScriptedPlugins {
 protected:
  // So many messages end well, and so many do not.
  void handle(std::uint64_t good, std::uint64_t bad) {
    a_->handled.good += good;
    a_->handled.bad += bad;
  }
};

// ---- One reload ----

TEST_F(PluginReloaderTest, AGoodBuildTakesOverInAllOfItsTriggers) {
  clock_.advance(Millis(5'000));
  change_file("new");
  EXPECT_TRUE(all_served_by("new"));
  EXPECT_TRUE(nothing_is_left_over());
  EXPECT_TRUE(a_->got_state);
  ASSERT_EQ(log_.lines("plugin.reloaded").size(), 1U);
  EXPECT_EQ(log_.lines("plugin.reloaded")[0].level, LogLevel::info);
  EXPECT_EQ(log_.last("plugin.reloaded"), "in service; messages waited 0.0 ms");
  EXPECT_EQ(shown().generation, 2U);
  EXPECT_EQ(shown().version, "new");
  EXPECT_EQ(shown().in_service_since, clock_.wall());
  EXPECT_EQ(shown().reloads, 1U);
  EXPECT_TRUE(shown().on_probation);
}

TEST_F(PluginReloaderTest, HowLongMessagesWaitedIsSaidAndCounted) {
  a_->while_quiescing = [this](Monotonic) { clock_.advance(Millis(15)); };
  builds_.build("p", "new");
  const auto done = reloader_.reload("p", {});
  ASSERT_TRUE(done);
  EXPECT_EQ(done->pause, Millis(30)) << "it is asked to be quiet, and then waited for";
  EXPECT_EQ(log_.last("plugin.reloaded"), "in service; messages waited 30.0 ms");
  a_->while_quiescing = {};
  builds_.build("p", "newer");
  ASSERT_TRUE(reloader_.reload("p", {}));
  EXPECT_EQ(reloader_.counts().at("p").last_pause, Millis(0));
  EXPECT_EQ(reloader_.counts().at("p").longest_pause, Millis(30));
}

TEST_F(PluginReloaderTest, AFileThatIsWhatServesChangesNothing) {
  change_file("old");
  EXPECT_EQ(builds_.number_in_service("p"), 1U);
  EXPECT_EQ(a_->touched, 0);
  EXPECT_EQ(log_.lines("plugin.unchanged").size(), 1U);
  EXPECT_EQ(shown().reloads, 0U);
  EXPECT_FALSE(shown().on_probation);
  const auto again = reloader_.reload("p", {});
  ASSERT_TRUE(again);
  EXPECT_EQ(again->outcome, PluginReloader::Outcome::unchanged);
  EXPECT_EQ(again->generation, 1U);
  EXPECT_EQ(again->version, "old");
}

TEST_F(PluginReloaderTest, WhoeverInsistsGetsAnotherInstanceOfTheSameFile) {
  const auto done = reloader_.reload("p", {.drop_state = true});
  ASSERT_TRUE(done);
  EXPECT_EQ(done->outcome, PluginReloader::Outcome::reloaded);
  EXPECT_EQ(done->generation, 2U);
  EXPECT_FALSE(a_->got_state);
}

TEST_F(PluginReloaderTest, ABuildThatIsRefusedAtLoadIsSeenByNobody) {
  builds_.refused = {"broken"};
  change_file("broken");
  EXPECT_TRUE(all_served_by("old"));
  EXPECT_EQ(a_->touched, 0);
  ASSERT_EQ(log_.lines("plugin.reload_failed").size(), 1U);
  EXPECT_EQ(log_.lines("plugin.reload_failed")[0].level, LogLevel::error);
  EXPECT_EQ(log_.last("plugin.reload_failed"),
            "p is not a shared library; generation 1 stays in service");
  EXPECT_EQ(shown().reloads_failed, 1U);
  EXPECT_EQ(shown().reloads, 0U);
  EXPECT_FALSE(shown().on_probation);
  change_file("good");
  EXPECT_TRUE(all_served_by("good"));
}

TEST_F(PluginReloaderTest, ABuildThatCannotBeMadeForOneOfTwoTriggersTouchesNeither) {
  b_->cannot_be_made = {"new"};
  change_file("new");
  EXPECT_TRUE(all_served_by("old"));
  EXPECT_TRUE(nothing_is_left_over());
  EXPECT_EQ(log_.last("plugin.reload_failed"),
            "trigger \"b\": new has no such service; generation 1 stays in service");
}

TEST_F(PluginReloaderTest, ABuildThatDoesNotStartInOneOfTwoTriggersLeavesBothToTheOldOne) {
  for (const auto& fails : {b_, a_}) {
    fails->does_not_start = {"new"};
    change_file("new");
    EXPECT_TRUE(all_served_by("old"));
    EXPECT_TRUE(nothing_is_left_over());
    EXPECT_EQ(log_.last("plugin.reload_failed"),
              "new does not start for " + fails->name() + "; generation 1 stays in service");
    fails->does_not_start.clear();
  }
  EXPECT_EQ(shown().reloads_failed, 2U);
  EXPECT_TRUE(kept_files().empty());
}

TEST_F(PluginReloaderTest, ACallThatDoesNotEndKeepsTheOldBuild) {
  reloader_.set_drain_timeout(Millis(2'000));
  b_->busy = true;
  b_->while_quiescing = [this](Monotonic deadline) {
    if (deadline > clock_.now())
      clock_.advance(deadline - clock_.now() < Millis(50) ? Millis(10) : Millis(50));
  };
  const Monotonic began = clock_.now();
  change_file("new");
  EXPECT_GE(clock_.now(), began + Millis(2'000));
  EXPECT_TRUE(all_served_by("old"));
  EXPECT_TRUE(nothing_is_left_over());
  EXPECT_EQ(log_.last("plugin.reload_failed"),
            "the service did not finish its calls and pending messages within 2s; "
            "generation 1 stays in service");
  b_->busy = false;
  change_file("new");
  EXPECT_TRUE(all_served_by("new"));
}

TEST_F(PluginReloaderTest, WhoeverInsistsTakesItsPendingMessagesFromTheOldBuild) {
  reloader_.set_drain_timeout(Millis(0));
  b_->busy = true;
  builds_.build("p", "new");
  EXPECT_FALSE(reloader_.reload("p", {}));
  EXPECT_TRUE(reloader_.reload("p", {.force = true}));
  EXPECT_TRUE(all_served_by("new"));
}

TEST_F(PluginReloaderTest, TriggersOfOtherPluginsAreNotTouched) {
  const auto other = add_user("other", builds_.start_with("q", "another plugin"));
  change_file("new");
  EXPECT_TRUE(all_served_by("new"));
  EXPECT_EQ(other->touched, 0);
  EXPECT_EQ(builds_.number_in_service("q"), 1U);
}

TEST_F(PluginReloaderTest, ADisabledTriggerGetsTheNewBuildAndDoesNotJudgeIt) {
  const auto disabled = add_user("disabled", *builds_.in_service("p"));
  disabled->handled = {.good = 0, .bad = 100};  // before
  handle(5, 0);
  change_file("bad");
  EXPECT_EQ(disabled->served_by(), "bad");
  handle(0, 12);
  wait(Millis(1'000));
  EXPECT_TRUE(log_.lines("plugin.rolled_back").empty()) << "what served before failed more";
  reloader_.forget_trigger("disabled");
  wait(Millis(1'000));
  EXPECT_EQ(disabled->served_by(), "old");
  EXPECT_TRUE(all_served_by("old"));
}

TEST_F(PluginReloaderTest, APluginOfWhichNoTriggerRunsIsReloadedAllTheSame) {
  users_.all.clear();
  change_file("new");
  EXPECT_EQ(builds_.content_in_service("p"), "new");
  EXPECT_TRUE(shown().triggers.empty());
}

TEST_F(PluginReloaderTest, APluginThatIsNotLoadedIsNotReloaded) {
  const auto done = reloader_.reload("nobody", {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message, "plugin \"nobody\" is not loaded");
  EXPECT_FALSE(reloader_.counts().contains("nobody"));
}

TEST_F(PluginReloaderTest, OnceTooManyBuildsStayInMemoryNoMoreAreLoaded) {
  builds_.leaks = 20;
  change_file("new");
  EXPECT_TRUE(builds_.loads.empty());
  EXPECT_EQ(log_.last("plugin.reload_failed"),
            "20 plugin generations could not be unloaded, which is the limit; "
            "restart the runtime; generation 1 stays in service");
  builds_.leaks = 19;
  change_file("new");
  EXPECT_TRUE(all_served_by("new"));
}

// ---- Probation ----

TEST_F(PluginReloaderTest, ABuildThatFailsOnProbationIsRolledBack) {
  handle(3, 0);
  change_file("bad");
  wait(Millis(2'000));
  handle(1, 12);
  wait(Millis(1'000));
  EXPECT_TRUE(all_served_by("old"));
  EXPECT_TRUE(nothing_is_left_over());
  ASSERT_EQ(log_.lines("plugin.rolled_back").size(), 1U);
  EXPECT_EQ(log_.lines("plugin.rolled_back")[0].level, LogLevel::error);
  EXPECT_EQ(log_.last("plugin.rolled_back"),
            "generation 2 is on probation, and 12 of 13 verdicts are failures: rolling back "
            "to the previous one");
  EXPECT_EQ(log_.lines("plugin.reloaded").size(), 2U) << "there and back";
  EXPECT_EQ(builds_.number_in_service("p"), 3U);
  EXPECT_EQ(shown().generation, 3U);
  EXPECT_EQ(shown().rolled_back, 1U);
  EXPECT_FALSE(shown().on_probation) << "it has shown before that it does well";
  EXPECT_TRUE(kept_files().empty());
}

TEST_F(PluginReloaderTest, WhatWasRolledBackIsNotTriedAgainUntilItsFileChanges) {
  handle(3, 0);
  change_file("bad");
  handle(0, 12);
  wait(Millis(1'000));
  ASSERT_TRUE(all_served_by("old"));
  const auto loaded = builds_.loads;
  handle(0, 50);
  wait(Millis(120'000));
  EXPECT_EQ(builds_.loads, loaded);
  EXPECT_EQ(log_.lines("plugin.rolled_back").size(), 1U);
  handle(100, 0);
  change_file("mended");
  EXPECT_TRUE(all_served_by("mended"));
  EXPECT_TRUE(shown().on_probation);
}

TEST_F(PluginReloaderTest, ABuildThatPassesItsProbationStaysWhateverItDoesThen) {
  handle(3, 0);
  change_file("new");
  EXPECT_EQ(kept_files().size(), 1U);
  handle(5, 9);
  wait(kProbation - Millis(1'000));
  EXPECT_TRUE(shown().on_probation);
  wait(Millis(1'000));
  EXPECT_FALSE(shown().on_probation);
  EXPECT_TRUE(kept_files().empty());
  handle(0, 100);
  wait(kProbation);
  EXPECT_TRUE(all_served_by("new"));
  EXPECT_TRUE(log_.lines("plugin.rolled_back").empty());
}

TEST_F(PluginReloaderTest, ARollBackThatFailsLeavesTheBadBuildAndIsNotRepeated) {
  handle(3, 0);
  change_file("bad");
  b_->does_not_start = {"old"};
  handle(0, 12);
  wait(Millis(1'000));
  EXPECT_TRUE(all_served_by("bad"));
  EXPECT_TRUE(nothing_is_left_over());
  EXPECT_EQ(log_.lines("plugin.rolled_back").size(), 1U);
  EXPECT_EQ(log_.last("plugin.reload_failed"),
            "old does not start for b; generation 2 stays in service");
  EXPECT_EQ(shown().rolled_back, 0U);
  EXPECT_EQ(shown().reloads_failed, 1U);
  EXPECT_FALSE(shown().on_probation);
  EXPECT_TRUE(kept_files().empty());
  handle(0, 50);
  wait(kProbation);
  EXPECT_EQ(log_.lines("plugin.rolled_back").size(), 1U);
}

TEST_F(PluginReloaderTest, ARollBackWhoseCopyIsGoneLeavesTheBadBuild) {
  handle(3, 0);
  change_file("bad");
  std::filesystem::remove(kept_files().at(0));
  handle(0, 12);
  wait(Millis(1'000));
  EXPECT_TRUE(all_served_by("bad"));
  EXPECT_EQ(log_.last("plugin.reload_failed"),
            "p is not a shared library; generation 2 stays in service");
}

TEST_F(PluginReloaderTest, WhereNothingCanComeBackThereIsNoProbation) {
  std::filesystem::remove(builds_.in_service("p")->copy);
  handle(3, 0);
  change_file("bad");
  EXPECT_FALSE(shown().on_probation);
  handle(0, 100);
  wait(kProbation);
  EXPECT_TRUE(all_served_by("bad"));
  EXPECT_EQ(builds_.loads, std::vector<std::string>{"p: bad"});
}

TEST_F(PluginReloaderTest, WhereTheLastBuildCannotComeBackTheOneBeforeItDoes) {
  handle(3, 0);
  change_file("second");
  handle(5, 0);  // it does well, so it is what should come back
  std::filesystem::remove(builds_.in_service("p")->copy);
  change_file("third");
  EXPECT_TRUE(shown().on_probation);
  handle(0, 100);
  wait(kProbation);
  EXPECT_TRUE(all_served_by("old"));
  EXPECT_EQ(log_.lines("plugin.rolled_back").size(), 1U);
}

TEST_F(PluginReloaderTest, AProbationEndsWithTheBuildThatWasOnIt) {
  handle(3, 0);
  change_file("second");
  handle(5, 0);
  const std::filesystem::path copy = builds_.in_service("p")->copy;
  std::filesystem::remove(copy.parent_path() / "p.previous.so");
  std::filesystem::remove(copy);
  change_file("third");
  EXPECT_FALSE(shown().on_probation) << "nothing is left that could come back";
  handle(0, 100);
  wait(kProbation);
  EXPECT_TRUE(all_served_by("third"));
  EXPECT_TRUE(log_.lines("plugin.rolled_back").empty());
}

// ---- Two changes in a row ----

TEST_F(PluginReloaderTest, OfTwoChangesInARowTheSecondFindsNothingToDo) {
  builds_.build("p", "first half");
  reloader_.file_changed("p");
  builds_.build("p", "whole");
  reloader_.file_changed("p");
  control_.run_due();
  EXPECT_TRUE(all_served_by("whole"));
  EXPECT_EQ(builds_.number_in_service("p"), 2U);
  EXPECT_EQ(log_.lines("plugin.reloaded").size(), 1U);
  EXPECT_EQ(log_.lines("plugin.unchanged").size(), 1U);
}

TEST_F(PluginReloaderTest, TheBuildBeforeComesBackThoughItsProbationWasNotOver) {
  handle(3, 0);
  change_file("second");
  handle(3, 1);
  change_file("third");
  handle(0, 12);
  wait(Millis(1'000));
  EXPECT_TRUE(all_served_by("second"));
}

TEST_F(PluginReloaderTest, ABuildThatHasHandledNothingIsNotTheOneThatComesBack) {
  handle(3, 0);
  change_file("second");
  change_file("third");
  EXPECT_EQ(kept_files().size(), 1U);
  handle(0, 12);
  wait(Millis(1'000));
  EXPECT_TRUE(all_served_by("old"));
  EXPECT_TRUE(kept_files().empty());
}

TEST_F(PluginReloaderTest, ASecondChangeBeginsAProbationOfItsOwn) {
  handle(3, 0);
  change_file("second");
  handle(3, 0);
  wait(kProbation - Millis(1'000));
  change_file("third");
  wait(kProbation - Millis(1'000));
  EXPECT_TRUE(shown().on_probation);
  wait(Millis(1'000));
  EXPECT_FALSE(shown().on_probation);
}

// ---- What else happens meanwhile ----

TEST_F(PluginReloaderTest, AChangeWhileTheRuntimeStopsIsNotTaken) {
  builds_.build("p", "new");
  reloader_.file_changed("p");  // it waits behind something else
  control_.begin_stop();
  reloader_.cancel();
  reloader_.file_changed("p");
  control_.join();
  EXPECT_TRUE(builds_.loads.empty());
  EXPECT_TRUE(all_served_by("old"));
  EXPECT_EQ(a_->touched, 0);
  EXPECT_TRUE(log_.lines("plugin.reload_failed").empty()) << "nothing has failed";
}

TEST_F(PluginReloaderTest, AReloadThatIsUnderWayWhenTheRuntimeStopsIsGivenUp) {
  builds_.while_loading = [this] { reloader_.cancel(); };
  change_file("new");
  EXPECT_EQ(builds_.loads.size(), 1U);
  EXPECT_TRUE(all_served_by("old"));
  EXPECT_TRUE(nothing_is_left_over());
  EXPECT_EQ(log_.last("plugin.reload_failed"),
            "the runtime is stopping; generation 1 stays in service");
}

TEST_F(PluginReloaderTest, AWaitForACallEndsWhenTheRuntimeStops) {
  b_->busy = true;
  b_->while_quiescing = [this](Monotonic) { reloader_.cancel(); };
  const Monotonic began = clock_.now();
  change_file("new");
  EXPECT_EQ(clock_.now(), began);
  EXPECT_TRUE(all_served_by("old"));
  EXPECT_TRUE(nothing_is_left_over());
  EXPECT_EQ(log_.last("plugin.reload_failed"),
            "the runtime is stopping; generation 1 stays in service");
}

TEST_F(PluginReloaderTest, NothingIsRolledBackWhileTheRuntimeStops) {
  handle(3, 0);
  change_file("bad");
  handle(0, 12);
  reloader_.cancel();
  wait(kProbation);
  EXPECT_TRUE(all_served_by("bad"));
  EXPECT_TRUE(log_.lines("plugin.rolled_back").empty());
}

TEST_F(PluginReloaderTest, APluginThatNobodyUsesAnyMoreTakesItsProbationWithIt) {
  handle(3, 0);
  change_file("new");
  reloader_.drop_unused_plugins();
  EXPECT_TRUE(reloader_.on_probation("p")) << "it is used";
  users_.all.clear();
  reloader_.drop_unused_plugins();
  EXPECT_TRUE(builds_.names().empty());
  EXPECT_FALSE(reloader_.on_probation("p"));
  EXPECT_TRUE(kept_files().empty());
  wait(kProbation);
}

}  // namespace
}  // namespace triggerd::control::test
