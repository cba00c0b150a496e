#include "control/plugins/plugin_board.hpp"

#include <gtest/gtest.h>

#include "unit/control/plugins/scripted_plugins.hpp"

namespace triggerd::control::test {
namespace {

using PluginBoardTest = ScriptedPlugins;

TEST_F(PluginBoardTest, ShowsWhatServesWhom) {
  const management::PluginStatus p = shown();
  EXPECT_EQ(p.name, "p");
  EXPECT_EQ(p.generation, 1U);
  EXPECT_EQ(p.version, "old");
  EXPECT_EQ(p.sha256, "old");
  EXPECT_EQ(p.file, "p.so");
  EXPECT_EQ(p.services, std::vector<std::string>{"service"});
  EXPECT_EQ(p.triggers, (std::vector<std::string>{"a", "b"}));
  EXPECT_FALSE(p.on_probation);
  EXPECT_EQ(p.reloads + p.reloads_failed + p.rolled_back, 0U);
}

TEST_F(PluginBoardTest, ABuildServesSinceItWasPutInService) {
  const Wall began = clock_.wall();
  clock_.advance(Millis(7'000));
  board_.refresh();
  EXPECT_EQ(shown().in_service_since, began);
  change_file("new");
  EXPECT_EQ(shown().in_service_since, began + Millis(7'000));
}

TEST_F(PluginBoardTest, AFailedReloadChangesTheFigureAndNothingElse) {
  const management::PluginStatus before = shown();
  builds_.refused = {"broken"};
  clock_.advance(Millis(7'000));
  change_file("broken");
  EXPECT_EQ(shown().reloads_failed, 1U);
  EXPECT_EQ(shown().generation, before.generation);
  EXPECT_EQ(shown().in_service_since, before.in_service_since);
}

TEST_F(PluginBoardTest, PausesAreInSeconds) {
  a_->while_quiescing = [this](Monotonic) { clock_.advance(Millis(250)); };
  change_file("new");
  EXPECT_DOUBLE_EQ(shown().last_pause_seconds, 0.5);
  EXPECT_DOUBLE_EQ(shown().longest_pause_seconds, 0.5);
}

TEST_F(PluginBoardTest, WhatServicesCountIsAskedForWhenItIsShown) {
  a_->metrics = {{.name = "sent", .help = "messages", .kind = TRIGGER_METRIC_COUNTER, .value = 2}};
  b_->metrics = {{.name = "open", .help = "now", .kind = TRIGGER_METRIC_GAUGE, .value = 0.5}};
  const auto metrics = shown().metrics;
  ASSERT_EQ(metrics.size(), 2U);
  EXPECT_EQ(metrics[0].trigger, "a");
  EXPECT_EQ(metrics[0].name, "sent");
  EXPECT_EQ(metrics[0].help, "messages");
  EXPECT_TRUE(metrics[0].counter);
  EXPECT_EQ(metrics[0].value, 2);
  EXPECT_EQ(metrics[1].trigger, "b");
  EXPECT_FALSE(metrics[1].counter);
}

TEST_F(PluginBoardTest, APluginThatWasDroppedIsNotShown) {
  users_.all.clear();
  reloader_.drop_unused_plugins();
  board_.refresh();
  EXPECT_TRUE(board_.plugins().empty());
}

TEST_F(PluginBoardTest, NewInstancesHaveNewSettingsOnceAllAreInService) {
  builds_.noted.clear();
  board_.refresh();
  EXPECT_EQ(builds_.noted, std::vector<std::string>{"p"});
}

}  // namespace
}  // namespace triggerd::control::test
