#include "control/services/definitions.hpp"

#include <gtest/gtest.h>

#include "config/managed.hpp"
#include "unit/control/services/services_fixture.hpp"

namespace triggerd::control::test {
namespace {

using Kind = management::AdminError::Kind;
using management::DefinitionChange;
using management::DefinitionKind;
using Verb = DefinitionChange::Verb;

constexpr const char* kManageable = R"(
[admin]
manage = true
[aliases.a]
host = "tcp://one:1883"
[[triggers]]
name = "t"
alias = "a"
topics = ["x"]
service = "nothing"
enabled = false
)";

class DefinitionsTest : public ManagedRuntime {
 protected:
  management::Outcome<management::ReloadReport> change(Verb verb, DefinitionKind kind,
                                                       const std::string& name,
                                                       const std::string& toml = {},
                                                       bool check_only = false) {
    return ask([&, this] {
      return definitions().change_definition(
          {.verb = verb,
           .kind = kind,
           .name = name,
           .text = {management::DefinitionText::Format::toml, toml},
           .check_only = check_only},
          "somebody");
    });
  }
  auto alias(Verb verb, const std::string& name, const std::string& toml = {},
             bool check_only = false) {
    return change(verb, DefinitionKind::alias, name, toml, check_only);
  }
  auto trigger(Verb verb, const std::string& name, const std::string& toml = {}) {
    return change(verb, DefinitionKind::trigger, name, toml);
  }
  std::string managed_text() const { return config::ManagedFile::read(managed_file())->text(); }
  // Triggers of the alias "m", which are all disabled: they need no plugin.
  void start_with_users_of_m(int users) {
    std::string managed = "[aliases.m]\nhost = \"tcp://one:1883\"\n";
    for (int i = 1; i <= users; ++i) {
      managed += "[[triggers]]\nname = \"u" + std::to_string(i) +
                 "\"\nalias = \"m\"\ntopics = [\"x\"]\nservice = \"nothing\"\nenabled = false\n";
    }
    dir_.write("state/managed.toml", managed);
    start(kManageable);
  }
  std::string why_m_stays() {
    const auto removed = alias(Verb::remove, "m");
    if (removed) return "it was removed";
    EXPECT_EQ(removed.error().kind, Kind::conflict);
    EXPECT_NE(registry_.now()->alias("m"), nullptr);
    return removed.error().message;
  }
};

constexpr const char* kOnTwo = "host = \"tcp://two:1883\"\n";

TEST_F(DefinitionsTest, AnAliasIsCreatedReplacedAndDeleted) {
  start(kManageable);
  turn_loops();
  const auto created = alias(Verb::create, "m", kOnTwo);
  ASSERT_TRUE(created) << created.error().message;
  EXPECT_EQ(created->added, std::vector<std::string>{"alias m"});
  EXPECT_NE(registry_.now()->alias("m"), nullptr);
  EXPECT_NE(managed_text().find("tcp://two:1883"), std::string::npos);
  EXPECT_EQ(log_.last("alias.changed"), "created by somebody");

  const auto replaced = alias(Verb::replace, "m", "host = \"tcp://one:1883\"\n");
  ASSERT_TRUE(replaced) << replaced.error().message;
  EXPECT_EQ(replaced->changed, std::vector<std::string>{"alias m"});
  EXPECT_EQ(log_.last("alias.changed"), "replaced by somebody");

  const auto removed = alias(Verb::remove, "m");
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_EQ(removed->removed, std::vector<std::string>{"alias m"});
  EXPECT_EQ(registry_.now()->alias("m"), nullptr);
  EXPECT_EQ(managed_text().find("[aliases.m]"), std::string::npos);
  EXPECT_EQ(log_.last("alias.changed"), "deleted by somebody");
}

TEST_F(DefinitionsTest, ACheckChangesNothing) {
  start(kManageable);
  const auto checked = alias(Verb::create, "m", kOnTwo, true);
  ASSERT_TRUE(checked);
  EXPECT_EQ(checked->added, std::vector<std::string>{"alias m"});
  EXPECT_EQ(registry_.now()->alias("m"), nullptr);
  EXPECT_FALSE(std::filesystem::exists(managed_file()));
  EXPECT_TRUE(log_.lines("alias.changed").empty());
  const auto wrong = alias(Verb::create, "m", "host = \"nonsense\"\n", true);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().problems.at(0).key, "host");
}

TEST_F(DefinitionsTest, WithoutManageNothingIsDefined) {
  start("[aliases.a]\nhost = \"tcp://one:1883\"\n");
  const auto created = alias(Verb::create, "m", kOnTwo);
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().kind, Kind::refused);
}

TEST_F(DefinitionsTest, WhatIsThereIsNotCreatedAndWhatIsNotIsNotReplaced) {
  start(kManageable);
  const std::string place = config::to_string(registry_.config()->find_trigger("t")->place);
  const auto created = trigger(Verb::create, "t", "alias = \"a\"\n");
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().kind, Kind::conflict);
  EXPECT_EQ(created.error().message, "trigger \"t\" already exists, at " + place);
  for (const Verb verb : {Verb::replace, Verb::remove}) {
    const auto missing = trigger(verb, "nobody", "alias = \"a\"\n");
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().kind, Kind::not_found);
    EXPECT_EQ(missing.error().message, "there is no trigger \"nobody\"");
  }
}

TEST_F(DefinitionsTest, WhatAFileDefinesIsReadOnly) {
  start(kManageable);
  const auto replaced = trigger(Verb::replace, "t", "alias = \"a\"\n");
  ASSERT_FALSE(replaced);
  EXPECT_EQ(replaced.error().kind, Kind::conflict);
  EXPECT_EQ(replaced.error().message,
            "trigger \"t\" is read-only: it is defined at " +
                config::to_string(registry_.config()->find_trigger("t")->place) +
                "; change it there, and reload");
  const auto removed = alias(Verb::remove, "a");
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().kind, Kind::conflict);
  EXPECT_NE(removed.error().message.find("alias \"a\" is read-only"), std::string::npos);
}

TEST_F(DefinitionsTest, WhatIsWrongIsSaidByItsKeyAndIsNotKept) {
  start(kManageable);
  const auto created =
      trigger(Verb::create, "new", "alias = \"a\"\ntopics = [\"a/#/b\"]\nservice = \"nothing\"\n");
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().kind, Kind::invalid);
  EXPECT_EQ(created.error().message, "trigger \"new\" is not valid");
  ASSERT_EQ(created.error().problems.size(), 1U);
  EXPECT_EQ(created.error().problems[0].key, "topics.0");
  EXPECT_FALSE(std::filesystem::exists(managed_file()));
}

TEST_F(DefinitionsTest, AnAliasThatTriggersUseIsNotDeleted) {
  start_with_users_of_m(1);
  EXPECT_EQ(why_m_stays(),
            "alias \"m\" cannot be deleted: trigger \"u1\" uses it; delete that first, or give it "
            "another alias");
}

TEST_F(DefinitionsTest, TwoThatUseItAreBothNamed) {
  start_with_users_of_m(2);
  EXPECT_EQ(why_m_stays(),
            "alias \"m\" cannot be deleted: triggers \"u1\" and \"u2\" use it; delete those first, "
            "or give them another alias");
}

TEST_F(DefinitionsTest, OfManyThatUseItFiveAreNamed) {
  start_with_users_of_m(8);
  EXPECT_EQ(why_m_stays(),
            "alias \"m\" cannot be deleted: triggers \"u1\", \"u2\", \"u3\", \"u4\", \"u5\" and 3 "
            "more use it; delete those first, or give them another alias");
}

TEST_F(DefinitionsTest, WhatElseIsWrongIsNotTakenForAnAliasInUse) {
  dir_.write("state/managed.toml", "[aliases.m]\nhost = \"tcp://one:1883\"\n");
  start(kManageable);
  write(std::string(kManageable) + "[aliases.b]\nhost = \"nonsense\"\n");
  const auto removed = alias(Verb::remove, "m");
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().kind, Kind::conflict);
  EXPECT_TRUE(removed.error().message.starts_with("alias \"m\" cannot be deleted: "))
      << removed.error().message;
  EXPECT_EQ(removed.error().message.find("uses it"), std::string::npos);
}

TEST_F(DefinitionsTest, AManagedFileThatCannotBeReadOrWrittenChangesNothing) {
  start(kManageable);
  dir_.write("state/managed.toml", "[aliases.m\n");
  const auto unreadable = alias(Verb::create, "m", kOnTwo);
  ASSERT_FALSE(unreadable);
  EXPECT_EQ(unreadable.error().kind, Kind::failed);
  std::filesystem::remove_all(state_dir());
  const auto unwritable = alias(Verb::create, "m", kOnTwo);
  ASSERT_FALSE(unwritable);
  EXPECT_EQ(unwritable.error().kind, Kind::failed);
  EXPECT_EQ(registry_.now()->alias("m"), nullptr);
  EXPECT_TRUE(log_.lines("alias.changed").empty());
}

TEST_F(DefinitionsTest, AReloadReadsTheFilesAgain) {
  start(kManageable);
  write(std::string(kManageable) + "[aliases.b]\nhost = \"tcp://two:1883\"\n");
  const auto reloaded = ask([this] { return definitions().reload("somebody"); });
  ASSERT_TRUE(reloaded);
  EXPECT_EQ(reloaded->added, std::vector<std::string>{"alias b"});
  EXPECT_EQ(log_.last("runtime.reload"), "reloading the configuration, prompted by somebody");
  control_.begin_stop();
  const auto refused = ask([this] { return definitions().reload("somebody"); });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Kind::unavailable);
}

}  // namespace
}  // namespace triggerd::control::test
