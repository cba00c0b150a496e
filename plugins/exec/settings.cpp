#include "settings.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "common/settings.hpp"

namespace exec_plugin {
namespace {

using nlohmann::json;
using plugin_common::choice;
using plugin_common::integer_between;
using trigger::Level;
using trigger::SettingError;

constexpr std::int64_t most_processes = 256;
constexpr std::int64_t most_in_a_batch = 1000;
// The runtime gives start and stop 30 s, or the trigger's timeout.
constexpr double longest_wait = 25;
// What a program needs to run at all; no secret of the runtime's is among them.
constexpr std::array<const char*, 8> inherited{"PATH",   "HOME", "USER",   "LANG",
                                               "LC_ALL", "TZ",   "TMPDIR", "LOGNAME"};

std::optional<std::string> variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe): nobody sets any
  if (value == nullptr) return std::nullopt;
  return value;
}

void require_no_nul(std::string_view key, std::string_view text) {
  if (text.find('\0') != std::string_view::npos) throw SettingError(key, "must not contain a NUL");
}

// An array of strings; empty if the setting is absent.
std::vector<std::string> words(const json& all, const std::string& key) {
  std::vector<std::string> out;
  const auto found = all.find(key);
  if (found == all.end()) return out;
  if (!found->is_array()) throw SettingError(key, "must be an array of strings");
  for (std::size_t i = 0; i < found->size(); ++i) {
    const json& word = (*found)[i];
    const std::string place = key + "." + std::to_string(i);
    if (!word.is_string()) throw SettingError(place, "must be a string");
    out.push_back(word.get<std::string>());
    require_no_nul(place, out.back());
  }
  return out;
}

bool is_regular_file(const std::string& path) {
  struct stat about {};
  return ::stat(path.c_str(), &about) == 0 && S_ISREG(about.st_mode);
}

bool is_program(const std::string& path) {
  return is_regular_file(path) && ::access(path.c_str(), X_OK) == 0;
}

// As the program sees it from its working directory. Absolute, since the runtime's may change.
std::string located(const std::string& path, const std::string& working_dir) {
  return std::filesystem::absolute(std::filesystem::path(working_dir) / path).string();
}

std::string working_dir_of(const trigger::Settings& settings) {
  std::string dir = settings.text("working_dir", "");
  if (!settings.has("working_dir")) return dir;
  require_no_nul("working_dir", dir);
  struct stat about {};
  if (::stat(dir.c_str(), &about) != 0 || !S_ISDIR(about.st_mode)) {
    throw SettingError("working_dir", "must name a directory");
  }
  return std::filesystem::absolute(dir).string();
}

std::vector<std::string> environment_of(const json& all) {
  std::vector<std::pair<std::string, std::string>> variables;
  const auto set = [&variables](const std::string& name, std::string value) {
    for (auto& [known, old] : variables) {
      if (known != name) continue;
      old = std::move(value);
      return;
    }
    variables.emplace_back(name, std::move(value));
  };
  for (const char* name : inherited) {
    if (auto value = variable(name)) set(name, std::move(*value));
  }
  for (const std::string& name : words(all, "inherit_environment")) {
    if (auto value = variable(name)) set(name, std::move(*value));
  }
  const auto own = all.find("environment");
  if (own != all.end()) {
    if (!own->is_object()) {
      throw SettingError("environment", "must be a table: NAME = \"value\"");
    }
    for (const auto& [name, value] : own->items()) {
      const std::string key = "environment." + name;
      if (name.empty() || name.find_first_of(std::string_view("=\0", 2)) != std::string::npos) {
        throw SettingError(key, "is not a valid name of an environment variable");
      }
      if (!value.is_string()) throw SettingError(key, "must be a string");
      require_no_nul(key, value.get_ref<const std::string&>());
      set(name, value.get<std::string>());
    }
  }
  std::vector<std::string> out;
  out.reserve(variables.size());
  for (auto& [name, value] : variables) out.push_back((name += '=') += value);
  return out;
}

// As execvp() would find it, with the PATH that the program gets.
std::string find_in_path(const std::string& name, const std::vector<std::string>& environment) {
  std::string_view path = "/usr/local/bin:/usr/bin:/bin";
  for (const std::string& entry : environment) {
    if (entry.rfind("PATH=", 0) == 0) path = std::string_view(entry).substr(5);
  }
  for (;;) {
    const std::size_t end = path.find(':');
    std::string candidate(path.substr(0, end));
    candidate += '/';
    candidate += name;
    if (candidate.front() == '/' && candidate.size() > name.size() + 1 && is_program(candidate)) {
      return candidate;
    }
    if (end == std::string_view::npos) return {};
    path.remove_prefix(end + 1);
  }
}

void read_command(const json& all, Settings& out) {
  out.command = words(all, "command");
  if (out.command.empty() || out.command.front().empty()) {
    throw SettingError("command", "is missing; it must be an array of strings, the program first");
  }
  const std::string& name = out.command.front();
  if (name.find('/') == std::string::npos) {
    out.program = find_in_path(name, out.environment);
    if (out.program.empty()) {
      throw SettingError("command", "names \"" + name + "\", and there is no such program in PATH");
    }
  } else {
    out.program = located(name, out.working_dir);
    if (!is_program(out.program)) {
      throw SettingError("command", "names \"" + out.program +
                                        "\", which is no program: no such "
                                        "file, or it may not be executed");
    }
  }
}

// The files that the command itself names, and those of `watch`.
std::vector<std::string> files_to_watch(const trigger::Settings& settings, const json& all,
                                        const Settings& read) {
  std::vector<std::string> files;
  if (!settings.boolean("reload", true)) {
    if (settings.has("watch")) throw SettingError("watch", "needs reload = true");
    return files;
  }
  for (std::size_t i = 0; i < read.command.size(); ++i) {
    // A name without a slash is a program of the system's.
    if (i == 0 && read.command[0].find('/') == std::string::npos) continue;
    std::string path = located(read.command[i], read.working_dir);
    if (is_regular_file(path)) files.push_back(std::move(path));
  }
  for (const std::string& name : words(all, "watch")) {
    std::string path = located(name, read.working_dir);
    if (!is_regular_file(path)) throw SettingError("watch", "names \"" + path + "\": no such file");
    files.push_back(std::move(path));
  }
  return files;
}

void share_concurrency(const trigger::Context& context, Settings& out) {
  const trigger::Settings& settings = context.settings();
  const auto concurrency = static_cast<std::int64_t>(std::max(context.concurrency(), 1U));
  const std::int64_t batch = integer_between(settings, "batch", 1, 1, most_in_a_batch);
  if (batch > concurrency) {
    throw SettingError("batch", "is above the trigger's concurrency (" +
                                    std::to_string(concurrency) +
                                    "), which is how many messages wait for a verdict at once");
  }
  const std::int64_t absent = batch > 1 ? 1 : std::min(concurrency, most_processes);
  const std::int64_t processes = integer_between(settings, "processes", absent, 1, most_processes);
  if (processes > concurrency) {
    throw SettingError("processes", "is above the trigger's concurrency (" +
                                        std::to_string(concurrency) +
                                        "): the others would have nothing to do");
  }
  out.batch = static_cast<std::size_t>(batch);
  out.processes = static_cast<std::size_t>(processes);
  const std::int64_t share = (concurrency + processes - 1) / processes;
  out.in_flight = batch > 1 ? out.batch : static_cast<std::size_t>(share);
}

std::chrono::milliseconds wait_setting(const trigger::Settings& settings, const char* key,
                                       double absent) {
  const double value = settings.number(key, absent);
  if (value < 0.1 || value > longest_wait) {
    throw SettingError(key, "must be from 0.1 to 25 seconds");
  }
  return std::chrono::milliseconds(static_cast<std::int64_t>(value * 1000));
}

}  // namespace

Settings read_settings(const trigger::Context& context) {
  const trigger::Settings& settings = context.settings();
  settings.require_known({"command", "working_dir", "environment", "inherit_environment",
                          "processes", "batch", "payload", "reload", "watch",
                          "start_timeout_seconds", "stop_timeout_seconds", "stderr_level",
                          "service"});
  const json all = json::parse(settings.json());
  Settings out{};
  out.working_dir = working_dir_of(settings);
  out.environment = environment_of(all);
  read_command(all, out);
  out.watched = files_to_watch(settings, all, out);
  share_concurrency(context, out);
  out.always_base64 =
      choice<bool, 2>(settings, "payload", "auto", {{{"auto", false}, {"base64", true}}},
                      "must be \"auto\" or \"base64\"");
  out.start_timeout = wait_setting(settings, "start_timeout_seconds", 10);
  out.stop_timeout = wait_setting(settings, "stop_timeout_seconds", 5);
  out.stderr_level = choice<Level, 5>(settings, "stderr_level", "info",
                                      {{{"trace", Level::trace},
                                        {"debug", Level::debug},
                                        {"info", Level::info},
                                        {"warn", Level::warn},
                                        {"error", Level::error}}},
                                      "must be \"trace\", \"debug\", \"info\", \"warn\" or "
                                      "\"error\"");
  const auto service = all.find("service");
  if (service != all.end() && !service->is_object()) {
    throw SettingError("service", "must be a table");
  }
  out.service = service == all.end() ? "{}" : service->dump();
  return out;
}

}  // namespace exec_plugin
