#include "control/reload/reload_plan.hpp"

#include <gtest/gtest.h>

#include "unit/control/fixture.hpp"

namespace triggerd::control::test {
namespace {

config::Config two_aliases() {
  config::Config all;
  all.aliases = {alias_named("a"), alias_named("b")};
  all.triggers = {trigger_named("on a", "a"), trigger_named("on b", "b")};
  return all;
}

class UnchangedTest : public testing::Test {
 protected:
  // Of everything that two_aliases() has, which runs.
  Unchanged after(const config::Config& next) const {
    const ConfigPtr shared_next = shared(next);
    return unchanged({"a", "b"}, {"on a", "on b"}, *shared_next,
                     config::difference(now_, *shared_next), PackageFailures(shared_next));
  }
  using Names = std::unordered_set<std::string>;

  const config::Config now_ = two_aliases();
};

TEST_F(UnchangedTest, TheSameConfigurationTouchesNothing) {
  const Unchanged kept = after(now_);
  EXPECT_EQ(kept.aliases, (Names{"a", "b"}));
  EXPECT_EQ(kept.triggers, (Names{"on a", "on b"}));
}

TEST_F(UnchangedTest, ADescriptionIsNoReasonToRestart) {
  config::Config next = now_;
  next.triggers[0].description = "another";
  EXPECT_EQ(after(next).triggers, (Names{"on a", "on b"}));
}

TEST_F(UnchangedTest, ATriggerThatChangedRestartsAlone) {
  config::Config next = now_;
  next.triggers[0].queue_capacity = 7;
  const Unchanged kept = after(next);
  EXPECT_EQ(kept.aliases, (Names{"a", "b"}));
  EXPECT_EQ(kept.triggers, Names{"on b"});
}

TEST_F(UnchangedTest, AnAliasThatChangedTakesItsTriggersWithIt) {
  config::Config next = now_;
  next.aliases[0].servers[0].host = "elsewhere";
  const Unchanged kept = after(next);
  EXPECT_EQ(kept.aliases, Names{"b"});
  EXPECT_EQ(kept.triggers, Names{"on b"});
}

TEST_F(UnchangedTest, WhatIsGoneOrDisabledStops) {
  config::Config next = now_;
  next.triggers.erase(next.triggers.begin());
  next.aliases[1].enabled = false;
  const Unchanged kept = after(next);
  EXPECT_EQ(kept.aliases, Names{"a"});
  EXPECT_TRUE(kept.triggers.empty());
}

TEST_F(UnchangedTest, WhatIsOfABrokenPackageStops) {
  config::Config next = now_;
  next.triggers[0].package = "p";
  const ConfigPtr shared_next = shared(next);
  PackageFailures failures(shared_next);
  failures.add("p", {{}, "it is broken"});
  EXPECT_EQ(unchanged({"a", "b"}, {"on a", "on b"}, *shared_next,
                      config::difference(*shared_next, *shared_next), failures)
                .triggers,
            Names{"on b"});
}

TEST(BreakablePackagesTest, OnlyThoseOfWhichNothingRunsMayBeBroken) {
  config::Config all;
  for (const char* name : {"runs", "off", "unreadable", "failed"}) {
    config::Package package;
    package.name = name;
    all.packages.push_back(package);
  }
  all.packages[1].enabled = false;
  all.packages[2].problems = {{{}, "no such key"}};
  Running now(shared(all));
  now.failures.add("failed", {{}, "no such plugin"});
  const std::string nothing;
  const BreakablePackages breakable(now, nothing);
  EXPECT_FALSE(breakable.has("runs"));
  EXPECT_TRUE(breakable.has("off"));
  EXPECT_TRUE(breakable.has("unreadable"));
  EXPECT_TRUE(breakable.has("failed"));
  EXPECT_TRUE(breakable.has("new"));
  const std::string must_run = "new";
  EXPECT_FALSE(BreakablePackages(now, must_run).has("new"));
}

class ReloadPlanTest : public Parts {
 protected:
  // No trigger runs, so a plugin stays only if a plan needs it.
  void SetUp() override {
    Parts::SetUp();
    config::Config now = two_aliases();
    now.triggers.clear();
    now.runtime.plugin_dirs = {"before"};
    run(shared(now));
  }
  static config::Config next() {
    config::Config next = two_aliases();
    next.triggers.clear();
    next.runtime.plugin_dirs = {"after"};
    return next;
  }
  tl::expected<ReloadPlan, Diagnostics> plan(const config::Config& next,
                                             const std::string& must_run = {}) {
    return ReloadPlan::make({.registry = registry_,
                             .plugins = plugins_,
                             .reloader = plugin_reloader_,
                             .factory = *factory_},
                            shared(next), {}, {}, must_run);
  }
  // In which folder plugins are looked for. What could not be loaded is forgotten again.
  std::string plugins_come_from() {
    const std::string error = plugins_.load("looked for", {}).error().message;
    plugin_reloader_.drop_unused_plugins();
    return error.find("before") != std::string::npos  ? "before"
           : error.find("after") != std::string::npos ? "after"
                                                      : error;
  }
};

TEST_F(ReloadPlanTest, APlanThatIsNotAppliedUndoesItself) {
  {
    auto made = plan(next());
    ASSERT_TRUE(made);
    EXPECT_EQ(plugins_come_from(), "after");
    ReloadPlan moved = *std::move(made);
    EXPECT_EQ(plugins_come_from(), "after") << "it was moved, and not given up";
  }
  EXPECT_EQ(plugins_come_from(), "before");
}

TEST_F(ReloadPlanTest, APlanThatIsAppliedIsNotUndone) {
  {
    auto made = plan(next());
    ASSERT_TRUE(made);
    made->commit();
  }
  EXPECT_EQ(plugins_come_from(), "after");
}

TEST_F(ReloadPlanTest, APluginThatDoesNotLoadLeavesEverythingAsItWas) {
  config::Config with_trigger = next();
  with_trigger.triggers = {trigger_named("t", "a"), trigger_named("u", "b")};
  const auto made = plan(with_trigger);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().size(), 2U) << "all of it is said at once";
  EXPECT_NE(made.error()[0].message.find("trigger \"t\": no plugin \"nothing\""),
            std::string::npos);
  EXPECT_TRUE(plugins_.names().empty()) << "what was loaded for it is gone";
  EXPECT_EQ(plugins_come_from(), "before");
}

TEST_F(ReloadPlanTest, ANewPackageThatIsBrokenCostsItselfAloneUnlessItMustRun) {
  config::Config with_package = next();
  config::Package package;
  package.name = "p";
  with_package.packages = {package};
  with_package.triggers = {trigger_named("t", "a")};
  with_package.triggers[0].package = "p";
  {
    const auto made = plan(with_package);
    ASSERT_TRUE(made);
    EXPECT_TRUE(made->failures.contains("p"));
    EXPECT_TRUE(made->start_triggers.empty());
    EXPECT_EQ(made->report.added, std::vector<std::string>{"trigger t"});
  }
  EXPECT_FALSE(plan(with_package, "p"));
  EXPECT_EQ(plugins_come_from(), "before");
}

TEST_F(ReloadPlanTest, NamesTheAliasesToStopAndToStart) {
  const AliasPtr a = take_in(registry_.config()->aliases[0]);
  const AliasPtr b = take_in(registry_.config()->aliases[1]);
  config::Config changed = next();
  changed.aliases[0].servers[0].host = "elsewhere";
  changed.aliases.push_back(alias_named("c"));
  const auto made = plan(changed);
  ASSERT_TRUE(made);
  EXPECT_EQ(made->stop_aliases, std::vector<AliasPtr>{a});
  EXPECT_EQ(made->start_aliases, (std::vector<std::string>{"a", "c"}));
  EXPECT_EQ(made->report.changed, std::vector<std::string>{"alias a"});
  EXPECT_EQ(made->report.added, std::vector<std::string>{"alias c"});
  EXPECT_EQ(made->report.unchanged, 1U);
}

}  // namespace
}  // namespace triggerd::control::test
