// What import-webmethods makes is a configuration that the real runtime takes, once what it asks
// for is there: plugins, passwords, certificates.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "support/certificate_authority.hpp"
#include "support/file_content.hpp"
#include "support/golden_cases.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"
#include "support/triggerd_process.hpp"

namespace triggerd::test {
namespace {

namespace fs = std::filesystem;

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

// Puts the files of an expected.packages, "==> NAME" and then its lines, below `folder`.
void write_packages(const std::string& expected, const fs::path& folder) {
  std::istringstream lines(expected);
  std::ofstream out;
  for (std::string line; std::getline(lines, line);) {
    const std::string mark = "==> ";
    if (!line.starts_with(mark)) {
      out << line << '\n';
      continue;
    }
    const fs::path path = folder / line.substr(mark.size());
    fs::create_directories(path.parent_path());
    out = std::ofstream(path, std::ios::binary);
    out << '\n';  // what is made runnable begins with a new line
  }
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
    std::string toml = content_of(expected);
    if (toml.find("\n[runtime]\n") == std::string::npos) toml += "\n[runtime]\n";
    TriggerdProcess triggerd(made_runnable(toml));
    write_packages(made_runnable(content_of(folder / "expected.packages")), triggerd.dir().path());
    for (const char* name : {"plant", "cloud"}) {
      write_secret(triggerd.dir() / fmt::format("secrets/{}.password", name), "hunter2\n");
    }
    if (fs::exists(triggerd.dir() / "packages/plant-monitoring")) {
      write_secret(triggerd.dir() / "packages/plant-monitoring/secrets/plant.password", "hunter2");
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

TEST(ImportWebmethodsTest, TriggerctlWritesPackagesBesideTheConfigurationOrNothing) {
  const TempDir dir;
  const std::string output = (dir / "out.toml").string();
  const auto [exit, said] = triggerctl("packages", {"-o", output});
  EXPECT_EQ(exit, Exit{0}) << said;
  EXPECT_NE(said.find("4 aliases, 5 triggers, 3 packages, "), std::string::npos) << said;
  std::string packages;
  for (const char* name : {"plant-monitoring", "orphan", "acme_alarms"}) {
    for (const char* file : {"package.toml", "triggers.toml"}) {
      const fs::path path = dir / "packages" / name / file;
      packages += "==> packages/" + std::string(name) + "/" + file + "\n" + content_of(path);
      EXPECT_EQ(fs::status(path).permissions(), fs::perms(0600)) << path;
    }
  }
  const fs::path folder = fs::path(GOLDEN_IMPORT_DIR) / "packages";
  const auto without_comments = [](const std::string& text) {  // which name the export.json
    return std::regex_replace("\n" + text, std::regex("\n#[^\n]*"), "");
  };
  EXPECT_EQ(without_comments(packages), without_comments(content_of(folder / "expected.packages")));

  // One that is there already is somebody's.
  const std::string other = (dir / "other.toml").string();
  const auto [again, refused] = triggerctl("packages", {"-o", other});
  EXPECT_EQ(again, Exit{1});
  EXPECT_NE(refused.find("packages/plant-monitoring exists already"), std::string::npos) << refused;
  EXPECT_FALSE(fs::exists(other));
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
