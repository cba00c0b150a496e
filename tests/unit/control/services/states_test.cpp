#include "control/services/states.hpp"

#include <gtest/gtest.h>

#include "config/managed.hpp"
#include "unit/control/services/services_fixture.hpp"

namespace triggerd::control::test {
namespace {

using Kind = management::AdminError::Kind;

constexpr const char* kTwoAliases = R"(
[aliases.a]
host = "tcp://one:1883"
[aliases.off]
host = "tcp://two:1883"
enabled = false
)";
constexpr const char* kThreeTriggers = R"(
[[triggers]]
name = "t"
alias = "a"
topics = ["x"]
service = "nothing"
[[triggers]]
name = "written-off"
alias = "a"
topics = ["y"]
service = "nothing"
enabled = false
[[triggers]]
name = "without-alias"
alias = "off"
topics = ["z"]
service = "nothing"
)";

class StatesTest : public ManagedRuntime {
 protected:
  void start_all() { start(std::string(kTwoAliases) + kThreeTriggers); }
  auto disable_alias(const std::string& name) {
    return ask([&, this] { return states().disable_alias(name, "somebody", "repairs"); });
  }
  auto enable_alias(const std::string& name) {
    return ask([&, this] { return states().enable_alias(name, "somebody"); });
  }
  // What enabling and suspending it say.
  std::pair<management::AdminError, management::AdminError> refusals(const std::string& name) {
    auto enabled = ask([&, this] { return states().enable_trigger(name, "somebody"); });
    auto suspended = ask([&, this] { return states().suspend_trigger(name, "somebody", "why"); });
    if (enabled || suspended) {
      ADD_FAILURE() << name;
      return {};
    }
    return {enabled.error(), suspended.error()};
  }
};

// ---- Triggers ----

TEST_F(StatesTest, ATriggerIsDisabledAndThatIsKept) {
  start_all();
  const TriggerPtr t = run_trigger("t");
  ASSERT_TRUE(ask([this] { return states().disable_trigger("t", "somebody", "repairs"); }));
  EXPECT_TRUE(t->is_disabled());
  EXPECT_EQ(log_.last("trigger.disabled"), "disabled by somebody: repairs");
  const auto kept = inbox_->triggers().state("t");
  ASSERT_TRUE(kept && *kept);
  EXPECT_EQ((*kept)->changed_by, "somebody");
  EXPECT_EQ((*kept)->reason, "repairs");
}

TEST_F(StatesTest, OneThatIsDisabledIsNeitherSuspendedNorResumed) {
  start_all();
  const TriggerPtr t = run_trigger("t");
  ASSERT_TRUE(ask([this] { return states().disable_trigger("t", "somebody", "repairs"); }));
  const auto suspended = ask([this] { return states().suspend_trigger("t", "somebody", "why"); });
  ASSERT_FALSE(suspended);
  EXPECT_EQ(suspended.error().kind, Kind::conflict);
  EXPECT_EQ(suspended.error().message, "trigger \"t\" is disabled; enable it first");
  const auto resumed = ask([this] { return states().resume_trigger("t", "somebody"); });
  ASSERT_FALSE(resumed);
  EXPECT_EQ(resumed.error().kind, Kind::conflict);
  EXPECT_EQ(resumed.error().message, "trigger \"t\" is disabled, not suspended; enable it");
  EXPECT_TRUE(t->is_disabled());
}

TEST_F(StatesTest, OneThatIsSuspendedIsResumed) {
  start_all();
  run_trigger("t");
  ASSERT_TRUE(ask([this] { return states().suspend_trigger("t", "somebody", "why"); }));
  EXPECT_EQ(status().trigger("t")->state, management::TriggerStatus::State::suspended);
  EXPECT_EQ(status().trigger("t")->state_reason, "why");
  ASSERT_TRUE(ask([this] { return states().resume_trigger("t", "somebody"); }));
  EXPECT_EQ(status().trigger("t")->state, management::TriggerStatus::State::enabled);
  EXPECT_EQ(log_.last("trigger.enabled"), "enabled by somebody");
  EXPECT_FALSE(*inbox_->triggers().state("t"));
}

TEST_F(StatesTest, AStateThatCannotBeKeptIsNotTaken) {
  start_all();
  const TriggerPtr t = run_trigger("t");
  break_inbox("trigger_state");
  const auto disabled = ask([this] { return states().disable_trigger("t", "somebody", "why"); });
  ASSERT_FALSE(disabled);
  EXPECT_EQ(disabled.error().kind, Kind::failed);
  EXPECT_FALSE(t->is_disabled());
}

TEST_F(StatesTest, ATriggerThatIsNotThereIsNotFound) {
  start_all();
  const auto [enabled, suspended] = refusals("nobody");
  EXPECT_EQ(enabled.kind, Kind::not_found);
  EXPECT_EQ(enabled.message,
            "there is no trigger \"nobody\"; defined: t, written-off, without-alias");
  EXPECT_EQ(suspended.message, enabled.message);
}

TEST_F(StatesTest, OneThatDoesNotRunIsRefusedWithWhatToDo) {
  start_all();
  const auto [enabled, suspended] = refusals("written-off");
  EXPECT_EQ(enabled.kind, Kind::conflict);
  EXPECT_EQ(
      enabled.message,
      "trigger \"written-off\" is not running: disabled by the configuration; write enabled = "
      "true at " +
          config::to_string(registry_.config()->find_trigger("written-off")->place));
  EXPECT_EQ(suspended.message, enabled.message);
  EXPECT_EQ(refusals("without-alias").first.message,
            "trigger \"without-alias\" is not running: its alias is disabled");
  registry_.change([](Running& running) { running.not_made["t"] = "its plugin is broken"; });
  EXPECT_EQ(refusals("t").first.message, "trigger \"t\" is not running: its plugin is broken");
}

TEST_F(StatesTest, OneOfADisabledPackageSaysWhichPackageToEnable) {
  add_package("p",
              "[[triggers]]\nname = \"carried\"\nalias = \"a\"\ntopics = [\"x\"]\nservice = "
              "\"nothing\"\n",
              false);
  start_all();
  EXPECT_EQ(refusals("carried").first.message,
            "trigger \"carried\" is not running: disabled by its package; enable package \"p\"");
}

TEST_F(StatesTest, NothingChangesOnceTheRuntimeStops) {
  start_all();
  const TriggerPtr t = run_trigger("t");
  control_.begin_stop();
  const auto disabled = ask([this] { return states().disable_trigger("t", "somebody", "why"); });
  ASSERT_FALSE(disabled);
  EXPECT_EQ(disabled.error().kind, Kind::unavailable);
  EXPECT_FALSE(t->is_disabled());
}

// ---- Aliases ----

TEST_F(StatesTest, AnAliasIsTakenOutAndComesBack) {
  start(kTwoAliases);
  turn_loops();
  clock_.advance(Millis(5'000));
  ASSERT_TRUE(disable_alias("a"));
  EXPECT_EQ(registry_.now()->alias("a"), nullptr);
  EXPECT_EQ(log_.last("alias.disabled"), "disabled by somebody: repairs");
  const auto shown = status().alias("a");
  ASSERT_TRUE(shown);
  EXPECT_FALSE(shown->enabled);
  EXPECT_EQ(shown->disabled_by, "somebody");
  EXPECT_EQ(shown->disabled_reason, "repairs");
  EXPECT_EQ(shown->disabled_since, clock_.wall());
  ASSERT_TRUE(enable_alias("a"));
  EXPECT_NE(registry_.now()->alias("a"), nullptr);
  EXPECT_EQ(log_.last("alias.enabled"), "enabled by somebody");
}

TEST_F(StatesTest, AnAliasThatIsNotThereIsNotFound) {
  start(kTwoAliases);
  const auto disabled = disable_alias("nobody");
  ASSERT_FALSE(disabled);
  EXPECT_EQ(disabled.error().kind, Kind::not_found);
  EXPECT_EQ(disabled.error().message, "there is no alias \"nobody\"; defined: a, off");
}

TEST_F(StatesTest, AnAliasThatAFileDisablesIsEnabledThere) {
  start(kTwoAliases);
  const auto enabled = enable_alias("off");
  ASSERT_FALSE(enabled);
  EXPECT_EQ(enabled.error().kind, Kind::conflict);
  EXPECT_EQ(enabled.error().message,
            "alias \"off\" is disabled by the configuration; write enabled = true at " +
                config::to_string(registry_.config()->find_alias("off")->place));
}

TEST_F(StatesTest, AnAliasOfADisabledPackageIsEnabledWithThat) {
  add_package("p", "[aliases.carried]\nhost = \"tcp://one:1883\"\n", false);
  start(kTwoAliases);
  const auto enabled = enable_alias("carried");
  ASSERT_FALSE(enabled);
  EXPECT_EQ(enabled.error().kind, Kind::conflict);
  EXPECT_EQ(enabled.error().message,
            "alias \"carried\" belongs to package \"p\", which is disabled; enable the package");
}

// Its trigger was taken out with it, and the plugin's file has gone since.
TEST_F(StatesTest, AnAliasWhoseTriggersCannotBeMadeStaysDisabled) {
  ASSERT_TRUE(
      inbox_->triggers().set_state("alias/a", inbox::TriggerState{.changed_by = "somebody"}));
  start(std::string(kTwoAliases) + kThreeTriggers);
  turn_loops();
  const auto enabled = enable_alias("a");
  ASSERT_FALSE(enabled);
  EXPECT_EQ(enabled.error().kind, Kind::invalid);
  ASSERT_EQ(enabled.error().problems.size(), 1U);
  EXPECT_NE(enabled.error().problems[0].message.find("no plugin \"nothing\""), std::string::npos);
  const auto kept = inbox_->triggers().state("alias/a");
  ASSERT_TRUE(kept && *kept) << "the next start does not fail for it";
  EXPECT_EQ((*kept)->changed_by, "the runtime");
  EXPECT_EQ((*kept)->reason, "it could not be enabled");
  EXPECT_TRUE(log_.lines("alias.enabled").empty());
}

TEST_F(StatesTest, AnAliasWhoseStateCannotBeKeptRunsOn) {
  start(kTwoAliases);
  break_inbox("trigger_state");
  const auto disabled = disable_alias("a");
  ASSERT_FALSE(disabled);
  EXPECT_EQ(disabled.error().kind, Kind::failed);
  EXPECT_NE(registry_.now()->alias("a"), nullptr);
  EXPECT_TRUE(log_.lines("alias.disabled").empty());
}

TEST_F(StatesTest, OneThatTheManagedFileDisablesIsEnabledInIt) {
  dir_.write("state/managed.toml", "[aliases.m]\nhost = \"tcp://one:1883\"\nenabled = false\n");
  start(kTwoAliases);
  ASSERT_TRUE(enable_alias("m"));
  EXPECT_NE(registry_.now()->alias("m"), nullptr);
  const auto managed = config::ManagedFile::read(managed_file());
  EXPECT_NE(managed->text().find("enabled = true"), std::string::npos) << managed->text();
}

TEST_F(StatesTest, WhereThatCannotBeReadItStaysDisabled) {
  dir_.write("state/managed.toml", "[aliases.m]\nhost = \"tcp://one:1883\"\nenabled = false\n");
  start(kTwoAliases);
  dir_.write("state/managed.toml", "[aliases.m\n");
  const auto enabled = enable_alias("m");
  ASSERT_FALSE(enabled);
  EXPECT_EQ(enabled.error().kind, Kind::failed);
  EXPECT_EQ(registry_.now()->alias("m"), nullptr);
}

}  // namespace
}  // namespace triggerd::control::test
