#include <gtest/gtest.h>

#include "plugin/plugin.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::plugin {
namespace {

TEST(FindPlugin, TheFirstFolderThatHasItWins) {
  const test::TempDir dir;
  const auto first = dir.write("a/thermostat.so", "");
  dir.write("b/thermostat.so", "");
  const auto other = dir.write("b/log.so", "");
  EXPECT_EQ(find_plugin({dir / "a", dir / "b"}, "thermostat").value(), first);
  EXPECT_EQ(find_plugin({dir / "a", dir / "b"}, "log").value(), other);
}

TEST(FindPlugin, SaysWhereItLookedAndWhatWasMeant) {
  const test::TempDir dir;
  dir.write("a/thermostat.so", "");
  dir.write("a/notes.txt", "");
  EXPECT_EQ(find_plugin({dir / "a", dir / "absent"}, "termostat").error().message,
            fmt::format("no plugin \"termostat\": looked for termostat.so in {}, {} (no such "
                        "folder); did you mean \"thermostat\"?",
                        (dir / "a").string(), (dir / "absent").string()));
}

TEST(FindPlugin, SaysWhatToDoWhereNothingIsAlike) {
  const test::TempDir dir;
  dir.write("a/log.so", "");
  EXPECT_EQ(find_plugin({dir / "a"}, "thermostat").error().message,
            fmt::format("no plugin \"thermostat\": looked for thermostat.so in {}; build it there, "
                        "or add its folder to plugin_dirs",
                        (dir / "a").string()));
  EXPECT_EQ(find_plugin({}, "thermostat").error().message,
            "no plugin \"thermostat\": looked for thermostat.so nowhere: plugin_dirs is empty; "
            "build it there, or add its folder to plugin_dirs");
}

TEST(FindPlugin, ANameIsNoPath) {
  EXPECT_EQ(find_plugin({"."}, "../secret").error().message,
            "\"../secret\" is not a plugin name: write the name of the file without \".so\"");
  EXPECT_FALSE(find_plugin({"."}, ""));
}

}  // namespace
}  // namespace triggerd::plugin
