#include "control/services/packages.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "unit/control/services/services_fixture.hpp"

namespace triggerd::control::test {
namespace {

using Kind = management::AdminError::Kind;
using Reload = management::Outcome<management::ReloadReport>;

constexpr const char* kManagesPackages = R"(
[admin]
manage = true
[aliases.a]
host = "tcp://one:1883"
)";
constexpr const char* kCarriedAlias = "[aliases.carried]\nhost = \"tcp://two:1883\"\n";

class PackagesServiceTest : public ManagedRuntime {
 protected:
  // What is done with packages on disk is done to the list of them.
  PackageChanges changes() {
    return {.enable = [this](std::string_view name,
                             const PackageChanges::Confirm& confirm) -> Result<> {
              if (fails_) return fail("{}", *fails_);
              package(name).enabled = true;
              auto confirmed = confirm(std::string(name));
              if (!confirmed) package(name).enabled = false;
              return confirmed;
            },
            .disable = [this](std::string_view name) -> Result<> {
              if (fails_) return fail("{}", *fails_);
              package(name).enabled = false;
              return {};
            },
            .install = [this](const std::string& archive, const std::vector<std::string>& values,
                              bool downgrade, const PackageChanges::Confirm& confirm) -> Result<> {
              if (fails_) return fail("{}", *fails_);
              EXPECT_EQ(values, std::vector<std::string>{"carried.host=tcp://two"});
              EXPECT_TRUE(downgrade);
              add_package(archive.substr(0, archive.find('.')), kCarriedAlias);
              return confirm("p");
            },
            .remove = [this](std::string_view name) -> Result<> {
              if (fails_) return fail("{}", *fails_);
              std::erase_if(packages_,
                            [&](const config::Package& each) { return each.name == name; });
              return {};
            }};
  }
  config::Package& package(std::string_view name) {
    return *std::find_if(packages_.begin(), packages_.end(),
                         [&](const config::Package& each) { return each.name == name; });
  }
  Reload enable() {
    return ask([this] { return packages().enable_package("p", "somebody"); });
  }
  Reload disable() {
    return ask([this] { return packages().disable_package("p", "somebody"); });
  }
  Reload install() {
    return ask([this] {
      return packages().install_package("p.tpkg", {"carried.host=tcp://two"}, true, "somebody");
    });
  }
  Reload remove() {
    return ask([this] { return packages().remove_package("p", "somebody"); });
  }
  bool runs() const { return registry_.now()->alias("carried") != nullptr; }

  std::optional<std::string> fails_;
};

TEST_F(PackagesServiceTest, APackageIsEnabledAndDisabled) {
  add_package("p", kCarriedAlias, false);
  start(kManagesPackages, changes());
  turn_loops();
  EXPECT_FALSE(runs());
  const auto enabled = enable();
  ASSERT_TRUE(enabled) << enabled.error().message;
  EXPECT_TRUE(runs());
  EXPECT_EQ(log_.last("package.changed"), "package \"p\" enabled by somebody");
  const auto disabled = disable();
  ASSERT_TRUE(disabled) << disabled.error().message;
  EXPECT_FALSE(runs());
  EXPECT_EQ(log_.last("package.changed"), "package \"p\" disabled by somebody");
}

TEST_F(PackagesServiceTest, APackageIsInstalledAndRemoved) {
  start(kManagesPackages, changes());
  turn_loops();
  const auto installed = install();
  ASSERT_TRUE(installed) << installed.error().message;
  EXPECT_TRUE(runs());
  EXPECT_EQ(log_.last("package.changed"), "p.tpkg installed by somebody");
  const auto removed = remove();
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_FALSE(runs());
  EXPECT_EQ(log_.last("package.changed"), "package \"p\" removed by somebody");
}

TEST_F(PackagesServiceTest, AChangeThatIsNotMadeIsNoReload) {
  add_package("p", kCarriedAlias, false);
  fails_ = "somebody else is changing packages";
  start(kManagesPackages, changes());
  for (const Reload& refused : {enable(), disable(), install(), remove()}) {
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, Kind::conflict);
    EXPECT_EQ(refused.error().message, *fails_);
  }
  EXPECT_TRUE(log_.lines("runtime.reload").empty());
  EXPECT_TRUE(log_.lines("package.changed").empty());
}

TEST_F(PackagesServiceTest, OneThatTheRuntimeDoesNotTakeIsAsItWasBefore) {
  add_package("p", "[aliases.carried]\nhost = \"nonsense\"\n", false);
  start(kManagesPackages, changes());
  const auto enabled = enable();
  ASSERT_FALSE(enabled);
  EXPECT_EQ(enabled.error().kind, Kind::invalid);
  EXPECT_TRUE(enabled.error().message.ends_with("; the package was put back as it was before"))
      << enabled.error().message;
  EXPECT_EQ(enabled.error().problems.size(), 1U);
  EXPECT_FALSE(package("p").enabled);
  EXPECT_TRUE(log_.lines("package.changed").empty());
}

TEST_F(PackagesServiceTest, ARuntimeWithoutPackagesHasNoneToChange) {
  start(kManagesPackages);
  for (const Reload& refused : {enable(), disable(), install(), remove()}) {
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, Kind::unavailable);
    EXPECT_EQ(refused.error().message, "this runtime does not manage packages");
  }
}

TEST_F(PackagesServiceTest, WithoutManageNoneIsInstalledOrRemoved) {
  add_package("p", kCarriedAlias);
  start("[aliases.a]\nhost = \"tcp://one:1883\"\n", changes());
  for (const Reload& refused : {install(), remove()}) {
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, Kind::refused);
  }
  EXPECT_EQ(packages_.size(), 1U);
}

TEST_F(PackagesServiceTest, NothingChangesOnceTheRuntimeStops) {
  add_package("p", kCarriedAlias, false);
  start(kManagesPackages, changes());
  control_.begin_stop();
  const auto refused = enable();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Kind::unavailable);
  EXPECT_FALSE(package("p").enabled);
}

TEST_F(PackagesServiceTest, APluginThatIsNotLoadedIsNotReloaded) {
  start(kManagesPackages);
  const auto refused = ask([this] { return packages().reload_plugin("nobody", {}, "somebody"); });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Kind::not_found);
  EXPECT_EQ(refused.error().message, "plugin \"nobody\" is not loaded; no plugin is");
  EXPECT_TRUE(log_.lines("plugin.reload").empty());
}

}  // namespace
}  // namespace triggerd::control::test
