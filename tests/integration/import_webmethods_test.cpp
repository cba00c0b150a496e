// What import-webmethods makes is a configuration that the real runtime takes, once what it asks
// for is there: plugins, passwords, certificates.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "support/certificate_authority.hpp"
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
  for (const auto& entry : fs::directory_iterator(GOLDEN_IMPORT_DIR)) {
    const fs::path expected = entry.path() / "expected.toml";
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
