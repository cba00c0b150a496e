#include "control/running/member_list.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "unit/control/fixture.hpp"

namespace triggerd::control::test {
namespace {

using Aliases = MemberList<AliasConnection>;
using Names = std::vector<std::string>;

class MemberListTest : public Parts {
 protected:
  AliasPtr made(const std::string& name) { return factory_->make_alias(alias_named(name)).value(); }

  static Names in_order(const Aliases& aliases) {
    Names names;
    for (const AliasPtr& alias : aliases) names.push_back(alias->name());
    return names;
  }
  // Each is found under its own name, and none under any other.
  void expect_found(const Aliases& aliases) const {
    for (const AliasPtr& alias : aliases) EXPECT_EQ(aliases.find(alias->name()), alias);
    for (const char* other : {"", "0", "bb", "~"}) EXPECT_EQ(aliases.find(other), nullptr);
  }
};

TEST_F(MemberListTest, KeepsTheOrderInWhichMembersCome) {
  Aliases aliases({made("c"), made("a")});
  aliases.add(made("d"));
  aliases.add(made("b"));
  EXPECT_EQ(in_order(aliases), (Names{"c", "a", "d", "b"}));
  EXPECT_EQ(aliases.size(), 4U);
  expect_found(aliases);
}

TEST_F(MemberListTest, FindsThoseThatStayWhenOthersGo) {
  const AliasPtr a = made("a");
  const AliasPtr d = made("d");
  Aliases aliases({d, made("b"), a, made("c")});
  aliases.remove({made("c"), a, d});  // that c is another one
  EXPECT_EQ(in_order(aliases), (Names{"b", "c"}));
  EXPECT_EQ(aliases.find("a"), nullptr);
  EXPECT_EQ(aliases.find("d"), nullptr);
  expect_found(aliases);
  aliases.remove_if([](const AliasPtr& alias) { return alias->name() == "b"; });
  EXPECT_EQ(in_order(aliases), Names{"c"});
  EXPECT_EQ(aliases.find("b"), nullptr);
  expect_found(aliases);
}

TEST_F(MemberListTest, ACopyStaysAsItIs) {
  Aliases aliases({made("b")});
  const Aliases before = aliases;
  aliases.add(made("a"));
  EXPECT_EQ(in_order(before), Names{"b"});
  EXPECT_EQ(before.find("a"), nullptr);
  aliases.clear();
  EXPECT_EQ(aliases.size(), 0U);
  EXPECT_EQ(aliases.find("a"), nullptr);
  expect_found(before);
}

}  // namespace
}  // namespace triggerd::control::test
