#include "control/running/registry.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "unit/control/fixture.hpp"

namespace triggerd::control::test {
namespace {

class RegistryTest : public Parts {};

TEST_F(RegistryTest, ASnapshotStaysAsItIsForWhoeverHoldsIt) {
  const auto before = registry_.now();
  const AliasPtr made = take_in(alias_named("a"));
  EXPECT_EQ(before->alias("a"), nullptr);
  EXPECT_EQ(registry_.now()->alias("a"), made);
  registry_.change([&](Running& running) { running.aliases.remove({made}); });
  EXPECT_EQ(registry_.now()->alias("a"), nullptr);
}

TEST_F(RegistryTest, WhatIsTakenOutIsDestroyedOnceNobodyHoldsASnapshotOfIt) {
  std::weak_ptr<AliasConnection> made = take_in(alias_named("a"));
  auto held = registry_.now();
  registry_.change([](Running& running) { running.aliases.clear(); });
  EXPECT_FALSE(made.expired());
  held.reset();
  supervisor_->run_due();
  EXPECT_TRUE(made.expired());
}

TEST(RegistryThreadsTest, NobodySeesHalfOfAChange) {
  Registry registry(shared({}));
  std::atomic<bool> stop{false};
  std::atomic<bool> torn{false};
  std::thread reader([&] {
    while (!stop) {
      const auto now = registry.now();
      if (now->config->runtime.name.size() != now->not_made.size()) torn = true;
    }
  });
  for (int i = 1; i <= 200; ++i) {
    config::Config next;
    next.runtime.name = std::string(static_cast<std::size_t>(i % 7), 'x');
    registry.change([&](Running& running) {
      running.config = shared(next);
      running.not_made.clear();
      for (int j = 0; j < i % 7; ++j) running.not_made[std::to_string(j)] = "because";
    });
  }
  stop = true;
  reader.join();
  EXPECT_FALSE(torn);
}

TEST(RunningTest, ATriggerIsWantedWhereItAndItsAliasAreEnabledAndWhole) {
  config::Config all;
  all.aliases = {alias_named("a"), alias_named("off"), alias_named("broken")};
  all.aliases[1].enabled = false;
  all.aliases[2].package = "p";
  all.triggers = {trigger_named("good", "a"), trigger_named("its alias is off", "off"),
                  trigger_named("its alias is broken", "broken"), trigger_named("lost", "nobody"),
                  trigger_named("off", "a")};
  all.triggers[4].enabled = false;
  const ConfigPtr config = shared(all);
  PackageFailures failures(config);
  failures.add("p", {{}, "it is broken"});
  std::vector<std::string> wanted;
  for (const config::Trigger& trigger : config->triggers) {
    if (wants(*config, failures, trigger)) wanted.push_back(trigger.name);
  }
  EXPECT_EQ(wanted, std::vector<std::string>{"good"});
}

TEST(RunningTest, SaysWhyABrokenPackageKeepsATriggerOut) {
  config::Config all;
  all.aliases = {alias_named("a")};
  all.triggers = {trigger_named("t", "a"), trigger_named("u", "a")};
  all.triggers[0].package = "p";
  Running running(shared(all));
  running.failures.add("p", {{}, "it is broken"});
  running.note_broken_packages();
  ASSERT_EQ(running.not_made.size(), 1U);
  EXPECT_EQ(running.not_made["t"], "its package, or its alias's package, is broken");
}

}  // namespace
}  // namespace triggerd::control::test
