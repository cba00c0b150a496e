#include "plugin/loader/service_trials.hpp"

#include <gtest/gtest.h>

#include "config/trigger.hpp"
#include "plugin/loader/trial_record.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::plugin {
namespace {

config::Trigger trigger_of(const std::string& service, const std::string& settings = "{}") {
  config::Trigger trigger;
  trigger.name = "t";
  trigger.service = service;
  trigger.settings.json = settings;
  return trigger;
}

TEST(ServiceTrials, OneOfEachServiceIsTriedUntilAllHaveTheirInstances) {
  ServiceTrials trials(nullptr, "1234");
  EXPECT_TRUE(trials.begin(trigger_of("mail")).is_due);
  EXPECT_FALSE(trials.begin(trigger_of("mail", R"({"to":"b"})")).is_due);
  EXPECT_TRUE(trials.begin(trigger_of("chat")).is_due);
  trials.expect_new_settings();
  EXPECT_TRUE(trials.begin(trigger_of("mail", R"({"to":"c"})")).is_due);
}

TEST(ServiceTrials, AServiceThatFailedIsTriedAgain) {
  ServiceTrials trials(nullptr, "1234");
  EXPECT_TRUE(trials.begin(trigger_of("mail")).is_due);
  trials.failed(trigger_of("mail"));
  EXPECT_TRUE(trials.begin(trigger_of("mail")).is_due);
}

TEST(ServiceTrials, WhatAnEarlierStartHasTriedIsNotTriedAgain) {
  const test::TempDir dir;
  const auto record = [&] { return std::make_shared<TrialRecord>(dir / "trials", true); };
  {
    const auto first = record();
    ServiceTrials trials(first, "1234");
    const auto trial = trials.begin(trigger_of("mail"));
    EXPECT_TRUE(trial.is_due);
    trials.passed(trial.digest);
    ASSERT_TRUE(first->keep({}));
  }
  const auto second = record();
  ServiceTrials trials(second, "1234");
  const auto trial = trials.begin(trigger_of("mail"));
  EXPECT_FALSE(trial.is_due);
  EXPECT_FALSE(trial.digest.empty()) << "it is recorded again";
  EXPECT_TRUE(trials.begin(trigger_of("chat")).is_due);
  EXPECT_TRUE(ServiceTrials(second, "another build").begin(trigger_of("mail")).is_due);
}

}  // namespace
}  // namespace triggerd::plugin
