#include "control/reload/config_reloader.hpp"

#include <gtest/gtest.h>

#include <optional>

#include "support/sqlite_connection.hpp"
#include "unit/control/reload_fixture.hpp"

namespace triggerd::control::test {
namespace {

using Kind = management::AdminError::Kind;

// Nothing here has to be stopped: that takes threads.
class ConfigReloaderTest : public ReloadableParts {
 protected:
  void SetUp() override {
    Parts::SetUp();
    files_.runtime.state_dir = "state";
    files_.runtime.plugin_dirs = {"before"};
    run(shared(files_));
    make_reloader(
        clock_,
        [this](const std::optional<std::string>& managed)
            -> tl::expected<config::Config, Diagnostics> {
          clock_.advance(Millis(200));
          managed_ = managed.value_or("");
          if (!wrong_.empty()) return tl::make_unexpected(wrong_);
          return files_;
        },
        std::filesystem::path());
  }
  void TearDown() override {
    publisher_.remove("a");
    reloader_.reset();
    Parts::TearDown();
  }
  // The files have an alias that they did not have.
  void add_alias() {
    files_.aliases = {alias_named("a")};
    files_.runtime.plugin_dirs = {"after"};
  }
  bool runs_as_before() {
    const std::string error = plugins_.load("looked for", {}).error().message;
    plugin_reloader_.drop_unused_plugins();
    return registry_.config()->aliases.empty() && made_.empty() &&
           error.find("before") != std::string::npos;
  }

  config::Config files_;
  Diagnostics wrong_;
  std::string managed_;
};

TEST_F(ConfigReloaderTest, WhatIsNewRunsAfterwards) {
  add_alias();
  const auto report = reloader_->reload("somebody");
  ASSERT_TRUE(report);
  EXPECT_EQ(report->added, std::vector<std::string>{"alias a"});
  EXPECT_DOUBLE_EQ(report->seconds, 0.2);
  const auto running = registry_.now();
  EXPECT_NE(running->alias("a"), nullptr);
  EXPECT_EQ(running->config->aliases.size(), 1U);
  EXPECT_EQ(made_.size(), 1U);
  EXPECT_EQ(reloader_->record().applied, clock_.wall());
  EXPECT_EQ(reloader_->record().failure, "");
}

TEST_F(ConfigReloaderTest, ARefusalIsLoggedAndShownAndNothingChanges) {
  add_alias();
  wrong_ = {{{"triggers.toml", 7, 1}, "no such key"}};
  const auto report = reloader_->reload("somebody");
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().kind, Kind::invalid);
  EXPECT_EQ(log_.lines("runtime.reload_refused").size(), 2U);
  EXPECT_NE(reloader_->record().failure.find("no such key"), std::string::npos);
  EXPECT_TRUE(runs_as_before());

  wrong_.clear();
  ASSERT_TRUE(reloader_->reload("somebody"));
  EXPECT_EQ(reloader_->record().failure, "") << "it is over";
}

TEST_F(ConfigReloaderTest, ACheckChangesNothing) {
  add_alias();
  const auto report = reloader_->check_with("the managed file");
  ASSERT_TRUE(report);
  EXPECT_EQ(report->added, std::vector<std::string>{"alias a"});
  EXPECT_EQ(managed_, "the managed file");
  EXPECT_TRUE(runs_as_before());
  EXPECT_FALSE(reloader_->record().applied);
}

TEST_F(ConfigReloaderTest, AManagedFileThatCannotBeWrittenUndoesThePlan) {
  add_alias();
  const auto report =
      reloader_->reload_with("the managed file", [] { return Result<>(fail("the disk is full")); });
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().kind, Kind::failed);
  EXPECT_EQ(report.error().message, "the disk is full");
  EXPECT_TRUE(runs_as_before());
}

TEST_F(ConfigReloaderTest, WhatHoldsFromTheStartStaysAndIsNamed) {
  files_.runtime.name = "another";
  files_.inbox.sync_to_disk = false;
  const auto report = reloader_->reload("somebody");
  ASSERT_TRUE(report);
  EXPECT_FALSE(report->needs_restart.empty());
  EXPECT_EQ(reloader_->record().needs_restart, report->needs_restart);
  EXPECT_TRUE(registry_.config()->inbox.sync_to_disk);
  EXPECT_NE(registry_.config()->runtime.name, "another");

  files_.runtime.state_dir = "elsewhere";
  EXPECT_FALSE(reloader_->reload("somebody"));
}

TEST_F(ConfigReloaderTest, AnAliasThatAnAdministratorDisabledStaysOutUntilItIsEnabled) {
  add_alias();
  ASSERT_TRUE(inbox_->triggers().set_state("alias/a", inbox::TriggerState{.reason = "repairs"}));
  ASSERT_TRUE(reloader_->reload("somebody"));
  EXPECT_EQ(registry_.now()->alias("a"), nullptr);
  EXPECT_EQ(registry_.now()->alias_states.at("a").reason, "repairs");
  EXPECT_TRUE(reloader_->base().aliases.at(0).enabled) << "as the files say it";
  ASSERT_TRUE(inbox_->triggers().set_state("alias/a", std::nullopt));
  ASSERT_TRUE(reloader_->apply_alias_states());
  EXPECT_NE(registry_.now()->alias("a"), nullptr);
}

TEST_F(ConfigReloaderTest, WhatAnAdministratorHasDisabledHasToBeKnown) {
  add_alias();
  const triggerd::test::SqliteConnection other((dir_ / "inbox.db").string());
  ASSERT_EQ(other.run("DROP TABLE trigger_state"), 0);
  const auto report = reloader_->reload("somebody");
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().kind, Kind::failed);
  EXPECT_TRUE(report.error().message.starts_with("cannot read which aliases are disabled: "))
      << report.error().message;
  EXPECT_TRUE(runs_as_before());
}

TEST_F(ConfigReloaderTest, AnAliasThatCannotBeMadeCostsItselfAndIsReported) {
  files_.aliases = {alias_named("a"), alias_named("b")};
  files_.aliases[1].client_id.clear();  // one is kept for it
  const triggerd::test::SqliteConnection other((dir_ / "inbox.db").string());
  ASSERT_EQ(other.run("DROP TABLE client_id"), 0);
  const auto report = reloader_->reload("somebody");
  ASSERT_TRUE(report);
  ASSERT_EQ(report->failures.size(), 1U);
  EXPECT_TRUE(report->failures[0].starts_with("alias b: ")) << report->failures[0];
  EXPECT_TRUE(log_.last("runtime.reload").starts_with("alias b is not running: "));
  EXPECT_NE(registry_.now()->alias("a"), nullptr);
  EXPECT_EQ(registry_.now()->alias("b"), nullptr);
}

TEST_F(ConfigReloaderTest, ARuntimeWithoutFilesHasNoneToReadAgain) {
  reloader_.emplace(reloader_needs(), registry_.config(), LoadConfig(), std::filesystem::path());
  const auto report = reloader_->reload("somebody");
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().kind, Kind::invalid);
  EXPECT_EQ(report.error().problems.at(0).message,
            "this runtime was started without a configuration file, so there is none to reload");
  reloader_->watch_files();
  clock_.advance(Millis(10'000));
  EXPECT_EQ(control_.run_due(), 0U) << "nor is there one to watch";
}

TEST_F(ConfigReloaderTest, ABrokenPackageIsAWarningOfTheReload) {
  config::Package package;
  package.name = "p";
  package.problems = {{{"p/triggers.toml", 7, 1}, "no such key"}};
  files_.packages = {package};
  const auto report = reloader_->reload("somebody");
  ASSERT_TRUE(report);
  EXPECT_EQ(
      report->warnings,
      std::vector<std::string>{"package \"p\" is broken: p/triggers.toml:7:1: error: no such key"});
  EXPECT_EQ(log_.lines("package.broken").size(), 1U);
}

TEST_F(ConfigReloaderTest, OneThatNoClientCanBeMadeForIsReportedToo) {
  add_alias();
  make_client_ = [](mqtt::ClientEvents&) -> Result<std::unique_ptr<mqtt::Client>> {
    return fail("the library has no more clients");
  };
  const auto report = reloader_->reload("somebody");
  ASSERT_TRUE(report);
  EXPECT_EQ(report->failures, std::vector<std::string>{"alias a: the library has no more clients"});
  EXPECT_EQ(registry_.now()->alias("a"), nullptr);
}

}  // namespace
}  // namespace triggerd::control::test
