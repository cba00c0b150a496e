// What import-webmethods makes is a configuration that the real runtime takes, once what it asks
// for is there: plugins, passwords, certificates.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "support/certificate_authority.hpp"
#include "support/golden_cases.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"
#include "support/triggerd_process.hpp"

namespace triggerd::test {
namespace {

namespace fs = std::filesystem;

std::string content_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// Every service is to be one that is there, with plugins where this build has them.
std::string made_runnable(std::string toml) {
  toml = std::regex_replace(toml, std::regex("\nservice = \"[^\"]*\""), "\nservice = \"discard\"");
  toml = std::regex_replace(toml, std::regex("\nmonitor = \"[^\"]*\""),
                            "\nmonitor = \"recorder:guard\"");
  const std::string runtime = "\n[runtime]\n";
  if (const auto at = toml.find(runtime); at != std::string::npos) {
    toml.insert(at + runtime.size(),
                fmt::format("state_dir = \"var\"\nplugin_dirs = [\"{}\", \"{}\"]\n",
                            TriggerdProcess::plugin_dir().string(), TEST_PLUGIN_DIR));
  }
  return toml;
}

void write_secret(const fs::path& path, const std::string& content) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
}

TEST(ImportWebmethodsTest, WhatIsMadePassesTheCheck) {
  const CertificateAuthority authority;
  const Identity identity = authority.issue();
  std::size_t seen = 0;
  for (const fs::path& folder : golden_folders(GOLDEN_IMPORT_DIR)) {
    const fs::path expected = folder / "expected.toml";
    if (!fs::exists(expected)) continue;
    ++seen;
    SCOPED_TRACE(expected.string());
    TriggerdProcess triggerd(made_runnable(content_of(expected)));
    for (const char* name : {"plant", "cloud"}) {
      write_secret(triggerd.dir() / fmt::format("secrets/{}.password", name), "hunter2\n");
    }
    for (const char* name : {"EDGE", "UNKNOWN"}) {
      write_secret(triggerd.dir() / fmt::format("secrets/{}.keystore-password", name), "hunter3\n");
      write_secret(triggerd.dir() / fmt::format("certs/{}.p12", name),
                   pkcs12({{"edge-1", identity}}, "hunter3"));
    }
    for (const char* name : {"PLANT_CA", "UNKNOWN"}) {
      write_secret(triggerd.dir() / fmt::format("certs/{}.pem", name), authority.pem());
    }
    const CheckResult result = triggerd.check();
    EXPECT_EQ(result.exit, Exit{0}) << result.output;
  }
  EXPECT_GE(seen, 5u);
}

// What triggerctl prints for a golden case, with these arguments behind it.
std::pair<Exit, std::string> triggerctl(const std::string& name,
                                        std::vector<std::string> arguments = {}) {
  std::vector<std::string> command{TRIGGERCTL_BINARY, "import-webmethods",
                                   (fs::path(GOLDEN_IMPORT_DIR) / name / "export.json").string()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  Process process(command);
  const auto exit = process.wait(kPatience);
  return {exit.value_or(Exit{-1}), process.output()};
}

TEST(ImportWebmethodsTest, TriggerctlWritesANewFileAndSaysWhatDiffers) {
  const TempDir dir;
  const std::string output = (dir / "out.toml").string();
  const auto [exit, said] =
      triggerctl("exact", {"--exact", "--service", "folder:service=log", "-o", output});
  EXPECT_EQ(exit, Exit{0}) << said;
  EXPECT_NE(said.find("export.json:3: note: alias \"a\": "), std::string::npos) << said;
  EXPECT_NE(said.find("1 alias, 1 trigger, "), std::string::npos) << said;
  EXPECT_NE(content_of(output).find("service = \"log\""), std::string::npos);
  const auto [again, refused] = triggerctl("exact", {"-o", output});
  EXPECT_EQ(again, Exit{1});
  EXPECT_NE(refused.find("File exists"), std::string::npos) << refused;
}

TEST(ImportWebmethodsTest, TriggerctlReportsEveryErrorAndWritesNothing) {
  const TempDir dir;
  const std::string output = (dir / "out.toml").string();
  const auto [exit, said] = triggerctl("errors", {"-o", output});
  EXPECT_EQ(exit, Exit{1});
  EXPECT_NE(said.find("export.json:4: error: "), std::string::npos) << said;
  EXPECT_NE(said.find("export.json:26: error: "), std::string::npos) << said;
  EXPECT_FALSE(fs::exists(output));
}

TEST(ImportWebmethodsTest, TriggerctlPrintsTomlOrJson) {
  const auto [exit, toml] = triggerctl("defaults");
  EXPECT_EQ(exit, Exit{0});
  EXPECT_NE(toml.find("[aliases.a]"), std::string::npos) << toml;
  const auto [json_exit, json] = triggerctl("defaults", {"--json"});
  EXPECT_EQ(json_exit, Exit{0});
  EXPECT_TRUE(json.starts_with("{")) << json;
  const auto [usage, why] = triggerctl("defaults", {"--service", "nothing"});
  EXPECT_EQ(usage, Exit{2});
  EXPECT_NE(why.find("FOLDER:NAME=PLUGIN:SERVICE"), std::string::npos) << why;
}

// It asks for each thing that it could not carry.
TEST(ImportWebmethodsTest, WhatIsMissingIsSaid) {
  TriggerdProcess triggerd(
      made_runnable(content_of(fs::path(GOLDEN_IMPORT_DIR) / "tls" / "expected.toml")));
  const CheckResult result = triggerd.check();
  EXPECT_EQ(result.exit, Exit{2});
  for (const char* file : {"cloud.password", "EDGE.keystore-password"}) {
    EXPECT_NE(result.output.find(file), std::string::npos) << result.output;
  }
}

}  // namespace
}  // namespace triggerd::test
