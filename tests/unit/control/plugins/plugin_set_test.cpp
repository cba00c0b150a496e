#include "control/plugins/plugin_set.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>

#include "support/capture_log.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::control {
namespace {

// Files that are no libraries: what loads is tested with the whole runtime.
class PluginSetTest : public testing::Test {
 protected:
  PluginSetTest() { config_.runtime.plugin_dirs = {dir_ / "plugins"}; }

  PluginSet& plugins() {
    if (!plugins_) {
      plugins_.emplace(std::make_shared<const config::Config>(config_), dir_ / "stage", log_,
                       std::filesystem::path());
    }
    return *plugins_;
  }
  void add_package(const std::string& name) {
    dir_.write("packages/" + name + "/plugins/p.so", "no library either");
    config_.packages.emplace_back().name = name;
    config_.packages.back().folder = dir_ / "packages" / name;
  }
  static Result<> accept(const std::filesystem::path&, const std::string&) { return {}; }

  triggerd::test::TempDir dir_;
  triggerd::test::CaptureLog log_;
  config::Config config_;
  std::optional<PluginSet> plugins_;
};

TEST_F(PluginSetTest, WhatDoesNotLoadIsKnownByItsError) {
  const auto file = dir_.write("plugins/p.so", "no library");
  const auto first = plugins().load("p", "");
  ASSERT_FALSE(first);
  EXPECT_TRUE(first.error().message.starts_with("plugin \"p\": " + file.string() + " "))
      << first.error().message;
  std::filesystem::resize_file(file, 0);
  EXPECT_EQ(plugins().load("p", "").error().message, first.error().message)
      << "whoever names it next is told the same";
  EXPECT_EQ(plugins().names(), std::vector<std::string>{"p"});
  EXPECT_FALSE(plugins().in_service("p"));
  ASSERT_EQ(plugins().watched().size(), 1U) << "its file may be mended";
  EXPECT_EQ(plugins().watched()[0].dirs, config_.runtime.plugin_dirs);
  plugins().note_in_service("p");
}

TEST_F(PluginSetTest, WhatDoesNotLoadIsDropped) {
  dir_.write("plugins/p.so", "no library");
  EXPECT_FALSE(plugins().load("p", ""));
  EXPECT_EQ(plugins().drop_unused([](const PluginBuild&) { return true; }),
            std::vector<std::string>{"p"});
  EXPECT_TRUE(plugins().names().empty());
}

TEST_F(PluginSetTest, AnotherBuildThatDoesNotLoadIsNotVerified) {
  const auto file = dir_.write("plugins/p.so", "no library");
  EXPECT_FALSE(plugins().load("p", ""));
  bool asked = false;
  const auto next = plugins().load_next(
      "p", {}, [&](const std::filesystem::path&, const std::string&) -> Result<> {
        asked = true;
        return {};
      });
  EXPECT_FALSE(next);
  EXPECT_FALSE(asked);
  std::filesystem::remove(file);
  EXPECT_NE(plugins().load_next("p", {}, accept).error().message.find("no plugin \"p\""),
            std::string::npos);
  EXPECT_NE(plugins().load_next("p", dir_ / "previous.so", accept).error().message.find("previous"),
            std::string::npos);
}

TEST_F(PluginSetTest, PackagesMayEachCarryOneOfThatName) {
  add_package("one");
  add_package("two");
  dir_.write("plugins/p.so", "no library");
  EXPECT_FALSE(plugins().load("p", "one"));
  EXPECT_FALSE(plugins().load("p", "two"));
  EXPECT_FALSE(plugins().load("p", ""));
  EXPECT_EQ(plugins().names(), (std::vector<std::string>{"one/p", "p", "two/p"}));
  EXPECT_EQ(plugins().why_not_loaded("q"), "plugin \"q\" is not loaded; loaded: one/p, p, two/p");
}

TEST_F(PluginSetTest, WhereNothingIsLoadedThatIsSaid) {
  EXPECT_EQ(plugins().why_not_loaded("p"), "plugin \"p\" is not loaded; no plugin is");
  EXPECT_EQ(plugins().leaked(), 0U);
  plugins().keep_trials();
  EXPECT_TRUE(log_.lines("plugin.trial").empty()) << "it was not told to remember any";
}

TEST_F(PluginSetTest, ACopyNeedsAFolder) {
  dir_.write("plugins/p.so", "no library");
  dir_.write("stage", "a file has its name");
  const auto loaded = plugins().load("p", "");
  ASSERT_FALSE(loaded);
  EXPECT_TRUE(loaded.error().message.starts_with("cannot create " + (dir_ / "stage").string()))
      << loaded.error().message;
}

TEST_F(PluginSetTest, AProbeSaysWhyAFileIsNoPlugin) {
  const auto file = dir_.write("p.so", "no library");
  for (const bool is_private : {false, true}) {
    const auto probed = probe_plugin(file, is_private, log_);
    ASSERT_FALSE(probed);
    EXPECT_NE(probed.error().message.find(file.string()), std::string::npos);
  }
  EXPECT_TRUE(std::filesystem::exists(file));
}

TEST_F(PluginSetTest, ACheckNamesEachTriggerWhosePluginIsNotThere) {
  add_package("off");
  config_.packages[0].enabled = false;
  for (const char* name : {"t", "u", "of a disabled package"}) {
    config::Trigger& trigger = config_.triggers.emplace_back();
    trigger.name = name;
    trigger.plugin = "p";
    trigger.service_place = {"triggers.toml", 7, 1};
  }
  config_.triggers[2].package = "off";
  const auto found = probe_plugins(config_, dir_ / "stage", log_, {});
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].place.line, 7U);
  EXPECT_TRUE(found[0].message.starts_with("trigger \"t\": no plugin \"p\"")) << found[0].message;
  EXPECT_TRUE(found[1].message.starts_with("trigger \"u\": no plugin \"p\""));
}

}  // namespace
}  // namespace triggerd::control
