#include "check.hpp"

#include <fmt/format.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>

#include "base/log.hpp"
#include "config/config.hpp"
#include "control/plugins/plugin_set.hpp"
#include "exposure.hpp"
#include "mqtt/tls/stores.hpp"

namespace triggerd {

int report(const std::vector<config::Diagnostic>& diagnostics) {
  for (const config::Diagnostic& diagnostic : diagnostics) {
    fmt::print(stderr, "{}\n", config::to_string(diagnostic));
  }
  return kConfiguration;
}

int report(const Error& error) {
  fmt::print(stderr, "triggerd: error: {}\n", error.message);
  return kRuntimeFailure;
}

namespace {

// For copies of plugins. On a read-only root file system, state_dir may be the only writable place.
Result<std::string> make_folder(const std::filesystem::path& state_dir) {
  std::error_code error;
  const std::filesystem::path temporary = std::filesystem::temp_directory_path(error);
  for (const auto& folder : {error ? "/tmp" : temporary, state_dir}) {
    std::string name = (folder / "triggerd-check-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) return name;
  }
  return fail("cannot create a folder in {} or in {}; set TMPDIR to a writable one",
              error ? "/tmp" : temporary.string(), state_dir.string());
}

}  // namespace

int check(const std::string& file, const config::Config& config) {
  const auto log = make_log(LogLevel::warn, config.log.format, config.runtime.name);
  const auto certificates = mqtt::tls::Stores::load(config);
  if (!certificates) return report(certificates.error());
  for (const auto& remark : certificates->remarks(system_clock().wall())) {
    fmt::print("{}\n", mqtt::tls::to_string(remark));
  }
  for (const std::string& exposed : exposed_files(config)) fmt::print("warning: {}\n", exposed);
  auto diagnostics = config.package_problems();
  for (const auto& [package, problems] : certificates->package_problems()) {
    diagnostics.insert(diagnostics.end(), problems.begin(), problems.end());
  }
  const auto folder = make_folder(config.runtime.state_dir);
  if (!folder) return report(folder.error());
  const std::string& name = *folder;
  const auto probed = control::probe_plugins(config, name, *log, "/proc/self/exe");
  diagnostics.insert(diagnostics.end(), probed.begin(), probed.end());
  std::error_code error;
  std::filesystem::remove_all(name, error);
  if (!diagnostics.empty()) return report(diagnostics);
  const auto count = [](std::size_t number, const char* one, const char* many) {
    return fmt::format("{} {}", number, number == 1 ? one : many);
  };
  fmt::print("{}: ok: {}, {}\n", file, count(config.aliases.size(), "alias", "aliases"),
             count(config.triggers.size(), "trigger", "triggers"));
  return kClean;
}

int probe(const std::string& file, bool is_private) {
  const auto log = make_log(LogLevel::error, LogFormat::text, "probe");
  const auto said = control::probe_plugin(file, is_private, *log);
  if (!said) return report(said.error());
  fmt::print("{}: ok: {}\n", file, *said);
  return kClean;
}

}  // namespace triggerd
