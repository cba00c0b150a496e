#include "control/services/status.hpp"

#include <gtest/gtest.h>

#include "unit/control/services/services_fixture.hpp"

namespace triggerd::control::test {
namespace {

using Origin = management::Definition::Origin;
using State = management::TriggerStatus::State;

constexpr const char* kShown = R"(
[aliases.a]
host = "tcp://one:1883"
user_name = "u"
password = "hunter2"
[aliases.off]
host = "tcp://two:1883"
enabled = false
[[triggers]]
name = "t"
alias = "a"
topics = ["x/+", "y"]
service = "nothing"
[[triggers]]
name = "written-off"
alias = "a"
topics = ["x/1"]
service = "nothing:second"
enabled = false
[[triggers]]
name = "without-alias"
alias = "off"
topics = ["z"]
service = "nothing"
)";
constexpr const char* kCarriedMembers = R"(
[aliases.carried]
host = "tcp://two:1883"
[[triggers]]
name = "carried"
alias = "carried"
topics = ["x"]
service = "nothing"
)";

class StatusTest : public ManagedRuntime {
 protected:
  void add_dead_letter(const std::string& trigger) {
    inbox::DeadLetter dead_letter;
    dead_letter.trigger = trigger;
    dead_letter.topic = "x";
    ASSERT_TRUE(inbox_->dead_letters().add(dead_letter));
  }
};

TEST_F(StatusTest, TheRuntimeSaysWhatItIs) {
  start(kShown);
  const auto shown = status().runtime();
  EXPECT_EQ(shown.name, "r");
  EXPECT_EQ(shown.version, "1.2.3");
  EXPECT_EQ(shown.config_file, "triggers.toml");
  EXPECT_FALSE(shown.manage);
  EXPECT_TRUE(shown.ready) << "what does not run here is not wanted, or not made yet";
  EXPECT_EQ(shown.process_id, ::getpid());
}

TEST_F(StatusTest, WhatLastReloadCameToIsShown) {
  start(kShown);
  EXPECT_FALSE(status().runtime().reloaded);
  write("[aliases.a]\nhost = \"nonsense\"\n");
  EXPECT_FALSE(ask([this] { return definitions().reload("somebody"); }));
  EXPECT_NE(status().runtime().last_reload_failure.find("the scheme is missing"),
            std::string::npos);
}

TEST_F(StatusTest, AnAliasIsShownWithItsConnectionAndWithoutItsSecrets) {
  start(kShown);
  const auto shown = status().alias("a");
  ASSERT_TRUE(shown);
  EXPECT_TRUE(shown->up);
  EXPECT_EQ(shown->servers, std::vector<std::string>{"tcp://one:1883"});
  EXPECT_EQ(shown->protocol, "3.1.1");
  ASSERT_EQ(shown->connections.size(), 1U);
  EXPECT_EQ(shown->definition.origin, Origin::file);
  EXPECT_NE(shown->definition.toml.find("tcp://one:1883"), std::string::npos);
  EXPECT_EQ(shown->definition.toml.find("hunter2"), std::string::npos);
  EXPECT_EQ(shown->definition.secrets, std::vector<std::string>{"password"});
  run_trigger("t");
  EXPECT_EQ(status().alias("a")->connections.size(), 2U) << "those of its triggers are its own too";
  EXPECT_EQ(status().alias("nobody").error().kind, management::AdminError::Kind::not_found);
}

TEST_F(StatusTest, ADisabledAliasSaysByWhom) {
  add_package("p", kCarriedMembers, false);
  start(kShown);
  const auto all = status().aliases();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_TRUE(all[0].enabled);
  EXPECT_EQ(all[1].disabled_by, "the configuration");
  EXPECT_EQ(all[2].disabled_by, "its package");
  EXPECT_EQ(all[2].definition.origin, Origin::package);
  EXPECT_EQ(all[2].definition.package, "p");
  EXPECT_EQ(all[2].definition.toml, "") << "lists do without";
}

TEST_F(StatusTest, WhereADefinitionStandsSaysWhoMayChangeIt) {
  dir_.write("state/managed.toml", "[aliases.m]\nhost = \"tcp://one:1883\"\n");
  start(kShown);
  EXPECT_EQ(status().alias("m")->definition.origin, Origin::managed);
  EXPECT_EQ(status().trigger("t")->definition.origin, Origin::file);
  EXPECT_GT(status().trigger("t")->definition.line, 0U);
}

TEST_F(StatusTest, ATriggerThatDoesNotRunSaysWhy) {
  add_package("p", kCarriedMembers, false);
  start(kShown);
  registry_.change([](Running& running) { running.not_made["t"] = "its plugin is broken"; });
  const auto why = [this](const char* name) { return status().trigger(name)->not_running_reason; };
  EXPECT_EQ(why("t"), "its plugin is broken");
  EXPECT_EQ(why("written-off"), "disabled by the configuration");
  EXPECT_EQ(status().trigger("written-off")->state, State::disabled);
  EXPECT_EQ(status().trigger("written-off")->service, "nothing:second");
  EXPECT_EQ(why("without-alias"), "its alias is disabled");
  EXPECT_EQ(why("carried"), "disabled by its package");
  registry_.change([](Running& running) { running.not_made.clear(); });
  EXPECT_EQ(why("t"), "it is being changed");
  run_trigger("t");
  EXPECT_EQ(why("t"), "its service is being started");
  EXPECT_FALSE(status().trigger("t")->running);
  EXPECT_FALSE(status().trigger("nobody"));
}

TEST_F(StatusTest, WhatTheInboxHasIsCountedForEachTriggerAndForAll) {
  start(kShown);
  add_dead_letter("t");
  add_dead_letter("t");
  add_dead_letter("gone");
  const auto triggers = status().triggers();
  ASSERT_EQ(triggers.size(), 3U);
  EXPECT_EQ(triggers[0].dead_letters, 2U);
  EXPECT_EQ(triggers[1].dead_letters, 0U);
  const auto inbox = status().inbox_status();
  EXPECT_EQ(inbox.dead_letters, 3U);
  EXPECT_EQ(inbox.messages, 0U);
  EXPECT_EQ(inbox.trouble, "");
  EXPECT_EQ(inbox.leaked_generations, 0U);
}

TEST_F(StatusTest, WhoWouldGetAMessageIsSaidForEachTrigger) {
  start(kShown);
  run_trigger("t");
  const auto matches = status().match("x/1");
  ASSERT_EQ(matches.size(), 3U);
  EXPECT_EQ(matches[0].trigger, "t");
  EXPECT_EQ(matches[0].filter, "x/+");
  EXPECT_FALSE(matches[0].gets_it);
  EXPECT_EQ(matches[0].because, "it is not running: its service is being started");
  EXPECT_EQ(matches[1].filter, "x/1");
  EXPECT_EQ(matches[1].because, "it is not running: disabled by the configuration");
  EXPECT_EQ(matches[2].filter, "");
  EXPECT_EQ(matches[2].because, "no filter matches: z");
  EXPECT_EQ(status().match("other")[0].because, "no filter matches: x/+, y");
}

TEST_F(StatusTest, PackagesAreShownWithWhatTheyCarryAndWhatIsWrong) {
  config::Package& p = add_package("p", kCarriedMembers);
  p.description = "boilers";
  p.requirements.push_back({"base", {}});
  add_package("base", "").enabled = true;
  std::swap(packages_[0], packages_[1]);
  start(kShown);
  registry_.change([](Running& running) {
    running.failures.add("p", {{"p/triggers.toml", 7, 1}, "no such plugin"});
  });
  const auto shown = status().packages();
  ASSERT_EQ(shown.size(), 2U);
  EXPECT_EQ(shown[1].name, "p");
  EXPECT_EQ(shown[1].version, "1.0");
  EXPECT_EQ(shown[1].description, "boilers");
  EXPECT_TRUE(shown[1].enabled);
  EXPECT_EQ(shown[1].requirements, std::vector<std::string>{"base"});
  EXPECT_EQ(shown[1].aliases, std::vector<std::string>{"carried"});
  EXPECT_EQ(shown[1].triggers, std::vector<std::string>{"carried"});
  EXPECT_EQ(shown[1].problems,
            std::vector<std::string>{"p/triggers.toml:7:1: error: no such plugin"});
  EXPECT_TRUE(shown[0].problems.empty());
}

}  // namespace
}  // namespace triggerd::control::test
