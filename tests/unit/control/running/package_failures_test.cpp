#include "control/running/package_failures.hpp"

#include <gtest/gtest.h>

#include "unit/control/fixture.hpp"

namespace triggerd::control::test {
namespace {

config::Package package_named(const std::string& name,
                              const std::vector<std::string>& requires_these = {}) {
  config::Package package;
  package.name = name;
  package.version = "1.0";
  for (const std::string& required : requires_these) package.requirements.push_back({required, {}});
  return package;
}

// Packages stand behind those that they require.
ConfigPtr three_packages() {
  config::Config all;
  all.packages = {package_named("base"), package_named("middle", {"base"}),
                  package_named("top", {"middle"}), package_named("other")};
  all.aliases = {alias_named("a"), alias_named("m")};
  all.aliases[1].package = "middle";
  all.triggers = {trigger_named("own", "a"), trigger_named("on its alias", "m"),
                  trigger_named("in it", "a")};
  all.triggers[2].package = "middle";
  return shared(all);
}

TEST(PackageFailuresTest, WhatRequiresABrokenPackageIsBrokenToo) {
  PackageFailures failures(three_packages());
  EXPECT_FALSE(failures.any());
  failures.add("base", {{"base/triggers.toml", 3, 1}, "a certificate is missing"});
  failures.spread();
  EXPECT_TRUE(failures.any());
  EXPECT_TRUE(failures.contains("base"));
  EXPECT_TRUE(failures.contains("middle"));
  EXPECT_TRUE(failures.contains("top"));
  EXPECT_FALSE(failures.contains("other"));
  EXPECT_FALSE(failures.contains(""));
  EXPECT_NE(failures.of("top").at(0).message.find("requires package \"middle\""),
            std::string::npos);
}

TEST(PackageFailuresTest, ItTakesOutItsTriggersAndThoseOfItsAliases) {
  const ConfigPtr all = three_packages();
  PackageFailures failures(all);
  failures.add("middle", {{}, "it is broken"});
  EXPECT_FALSE(failures.takes_out(*all->find_trigger("own")));
  EXPECT_TRUE(failures.takes_out(*all->find_trigger("on its alias")));
  EXPECT_TRUE(failures.takes_out(*all->find_trigger("in it")));
  EXPECT_FALSE(failures.takes_out(trigger_named("on an unknown alias", "nobody")));
}

TEST(PackageFailuresTest, APackageThatIsDisabledIsNotBroken) {
  config::Config all = *three_packages();
  all.packages[1].enabled = false;
  PackageFailures failures(shared(all));
  failures.add("base", {{}, "it is broken"});
  failures.spread();
  EXPECT_FALSE(failures.contains("middle"));
  EXPECT_FALSE(failures.contains("top")) << "what it requires is off, and that is said elsewhere";
}

TEST(PackageFailuresTest, ProblemsAreThoseOfReadingItAndThoseThatWereAdded) {
  config::Config all = *three_packages();
  all.packages[3].problems = {{{"other/triggers.toml", 1, 2}, "no such key"}};
  PackageFailures failures(shared(all));
  failures.add("other", {{"other/triggers.toml", 7, 1}, "no such plugin"});
  EXPECT_EQ(failures.problems_of(all.packages[3]),
            (std::vector<std::string>{"other/triggers.toml:1:2: error: no such key",
                                      "other/triggers.toml:7:1: error: no such plugin"}));
}

TEST(PackageFailuresTest, EachPackageHasItsLine) {
  config::Config all = *three_packages();
  all.packages[3].enabled = false;
  PackageFailures failures(shared(all));
  failures.add("top", {{"top/triggers.toml", 7, 1}, "no such plugin"});
  CaptureLog log;
  failures.report(log);
  EXPECT_EQ(log.lines("package.enabled").size(), 2U);
  EXPECT_EQ(log.lines("package.disabled").size(), 1U);
  EXPECT_EQ(log.last("package.broken"),
            "none of its aliases and triggers run: top/triggers.toml:7:1: no such plugin");
}

TEST(PackageFailuresTest, OneThatCouldNotBeReadIsBrokenBeforeAnythingIsAdded) {
  config::Config all = *three_packages();
  all.packages[3].problems = {{{"other/triggers.toml", 1, 2}, "no such key"}};
  const PackageFailures failures(shared(all));
  EXPECT_TRUE(failures.any());
  EXPECT_TRUE(failures.of("other").empty());
  CaptureLog log;
  failures.report(log);
  EXPECT_EQ(log.lines("package.enabled").size(), 3U);
  ASSERT_EQ(log.lines("package.broken").size(), 1U);
  EXPECT_EQ(log.lines("package.broken")[0].level, LogLevel::error);
  EXPECT_EQ(log.last("package.broken"),
            "none of its aliases and triggers run: other/triggers.toml:1:2: no such key");
}

}  // namespace
}  // namespace triggerd::control::test
