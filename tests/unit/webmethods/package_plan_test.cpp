#include "webmethods/package_plan.hpp"

#include <gtest/gtest.h>

namespace triggerd::webmethods {
namespace {

ExportedAlias alias(const std::string& name, const std::string& package) {
  ExportedAlias made;
  made.name = {name, 1, true};
  made.package = package;
  return made;
}

ExportedTrigger trigger(const std::string& package, const std::string& alias) {
  ExportedTrigger made;
  made.package = package;
  made.alias = {alias, 1, true};
  return made;
}

using Set = std::set<std::string>;

TEST(PackagePlan, AUserOfAnotherPackagesAliasRequiresThatPackage) {
  const Exported exported{.aliases = {alias("a", "Owner")}, .triggers = {trigger("User", "a")}};
  const PackagePlan plan(exported, false);
  EXPECT_EQ(plan.packages(), (std::vector<std::string>{"Owner", "User"}));
  EXPECT_EQ(plan.required_by("User"), Set{"Owner"});
  EXPECT_EQ(plan.required_by("Owner"), Set{});
  EXPECT_EQ(plan.moved_for(exported.aliases[0]), nullptr);
}

TEST(PackagePlan, AnAliasThatWouldMakeACycleGoesToNoPackage) {
  const Exported exported{
      .aliases = {alias("a", "One"), alias("b", "Two"), alias("c", "Three")},
      .triggers = {trigger("Two", "a"), trigger("Three", "b"), trigger("One", "c")}};
  const PackagePlan plan(exported, false);
  EXPECT_EQ(plan.required_by("Two"), Set{"One"});
  EXPECT_EQ(plan.required_by("Three"), Set{"Two"});
  EXPECT_EQ(plan.required_by("One"), Set{}) << "through Two it would require itself";
  ASSERT_NE(plan.moved_for(exported.aliases[2]), nullptr);
  EXPECT_EQ(*plan.moved_for(exported.aliases[2]), "One");
  EXPECT_EQ(plan.of(exported.aliases[2]), "");
}

TEST(PackagePlan, WhatWasRequiredOnlyForAnAliasThatMovedIsNotRequired) {
  const Exported exported{
      .aliases = {alias("a", "One"), alias("b", "Two")},
      .triggers = {trigger("Three", "b"), trigger("Two", "a"), trigger("One", "b")}};
  const PackagePlan plan(exported, false);
  EXPECT_EQ(plan.of(exported.aliases[1]), "") << "One uses it, and Two requires One";
  EXPECT_EQ(plan.required_by("Three"), Set{});
  EXPECT_EQ(plan.required_by("Two"), Set{"One"});
}

TEST(PackagePlan, FlatOrOfTheMainPackageIsOfNone) {
  const Exported exported{.aliases = {alias("a", std::string(kMainPackage)), alias("b", "One")},
                          .triggers = {trigger("", "b")}};
  EXPECT_EQ(PackagePlan(exported, false).packages(), std::vector<std::string>{"One"});
  EXPECT_TRUE(PackagePlan(exported, true).packages().empty());
}

}  // namespace
}  // namespace triggerd::webmethods
