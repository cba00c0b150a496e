// Files of the runtime that others on this machine may read or write: it runs, and says so.
#include <gtest/gtest.h>

#include "integration/recorded.hpp"

namespace triggerd::test {
namespace {

TEST(ExposureTest, ATokenThatEverybodyMayReadIsToldOf) {
  const TempDir dir;
  const std::filesystem::path token = dir.write("token", "0123456789abcdef\n");
  std::filesystem::permissions(token, std::filesystem::perms(0644));
  TriggerdProcess triggerd(
      runtime_table() +
      fmt::format("[admin]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"{}\"\n", token.string()));
  triggerd.start();
  EXPECT_TRUE(triggerd.wait_for_event("runtime.exposed", {"which is [admin] token_file"}))
      << triggerd.output();
  const CheckResult checked = triggerd.check();
  EXPECT_EQ(checked.exit, Exit{});
  EXPECT_NE(checked.output.find("warning: every user of this machine can read"), std::string::npos)
      << checked.output;
  std::filesystem::permissions(token, std::filesystem::perms(0640));
  EXPECT_EQ(triggerd.check().output.find("warning"), std::string::npos);
}

TEST(ExposureTest, AStateFolderThatEverybodyMayWriteIsToldOf) {
  TriggerdProcess triggerd(runtime_table("state_dir = \"var\"") +
                           "[admin]\nlisten = \"127.0.0.1:0\"\n");
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_for_event("admin.listening")) << triggerd.output();
  EXPECT_EQ(triggerd.output().find("runtime.exposed"), std::string::npos) << triggerd.output();
  ASSERT_TRUE(triggerd.stop());
  std::filesystem::permissions(triggerd.dir() / "var", std::filesystem::perms(0777));
  triggerd.start();
  EXPECT_TRUE(triggerd.wait_for_event("runtime.exposed", {"the state_dir"})) << triggerd.output();
}

}  // namespace
}  // namespace triggerd::test
