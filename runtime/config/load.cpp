#include "config/load.hpp"

#include <unistd.h>

#include <algorithm>
#include <exception>
#include <map>

#include "base/file.hpp"
#include "config/diagnostics.hpp"
#include "config/parse_toml.hpp"
#include "config/sections.hpp"
#include "config/validate.hpp"

namespace triggerd::config {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFile = std::size_t{16} << 20;

class Loader {
 public:
  explicit Loader(const Environment& environment) : environment_(environment) {}

  // `advice` is what to do where the file cannot be read.
  void read_file_at(const fs::path& path, std::string_view advice) {
    diagnostics_.begin_file(path.string());
    const auto text = read_file(path, kMaxFile);
    if (!text) {
      add_whole_file(path, fmt::format("{}; {}", text.error().message, advice));
      return;
    }
    const auto root = parse_toml(*text);
    const SourceFile file{path.string(), path.parent_path(), environment_, diagnostics_};
    if (!root) {
      sections_.complete = false;
      file.error(root.error().spot, "{}", root.error().message);
      return;
    }
    read_sections(file, *root, sections_);
  }

  // The folder's *.toml in name order, without hidden files: editors and container mounts leave
  // such behind.
  void read_folder(const fs::path& folder) {
    std::error_code error;
    if (!fs::exists(fs::symlink_status(folder, error))) return;
    std::vector<fs::path> files;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
      const std::string name = entry->path().filename().string();
      if (name.ends_with(".toml") && !name.starts_with('.')) files.push_back(entry->path());
    }
    if (error) {
      diagnostics_.begin_file(folder.string());
      add_whole_file(folder, fmt::format("cannot list {}: {}; it must be a readable folder",
                                         folder.string(), error.message()));
      return;
    }
    std::sort(files.begin(), files.end());
    for (const fs::path& file : files) read_file_at(file, "make it readable, or remove it");
  }

  tl::expected<Config, std::vector<Diagnostic>> finish(const fs::path& file) {
    validate(sections_, diagnostics_);
    if (!diagnostics_.empty()) return tl::make_unexpected(std::move(diagnostics_).sorted());
    Config config;
    config.runtime = std::move(sections_.runtime);
    const fs::path folder = file.parent_path();
    if (config.runtime.name.empty()) config.runtime.name = host_name();
    config.runtime.state_dir = std::move(sections_.state_dir).value_or(folder / "var");
    if (config.runtime.state_dir_place.file.empty()) {
      config.runtime.state_dir_place.file = file.string();
    }
    if (sections_.plugin_dirs) {
      config.runtime.plugin_dirs = *std::move(sections_.plugin_dirs);
    } else {
      config.runtime.plugin_dirs = {folder / "plugins"};
    }
    config.log = sections_.log;
    config.inbox = sections_.inbox;
    config.truststores = std::move(sections_.truststores);
    config.keystores = std::move(sections_.keystores);
    for (AliasDraft& draft : sections_.aliases) config.aliases.push_back(std::move(draft.alias));
    for (TriggerDraft& draft : sections_.triggers) {
      config.triggers.push_back(std::move(draft.trigger));
    }
    return config;
  }

 private:
  void add_whole_file(const fs::path& path, std::string message) {
    sections_.complete = false;
    diagnostics_.add(Place{path.string(), 0, 0}, std::move(message));
  }

  static std::string host_name() {
    char name[256] = {};
    if (::gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') return "triggerd";
    return name;
  }

  const Environment& environment_;
  Diagnostics diagnostics_;
  Sections sections_;
};

}  // namespace

Environment process_environment() {
  // A copy: getenv() is not safe beside a setenv() on another thread.
  std::map<std::string, std::string> variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
}

tl::expected<Config, std::vector<Diagnostic>> load(const fs::path& file,
                                                   const Environment& environment) {
  try {
    Loader loader(environment);
    loader.read_file_at(file, "name the configuration with --config");
    loader.read_folder(file.parent_path() / "conf.d");
    return loader.finish(file);
  } catch (const std::exception& error) {
    return tl::make_unexpected(std::vector{
        Diagnostic{Place{file.string(), 0, 0}, fmt::format("cannot be read: {}", error.what())}});
  }
}

}  // namespace triggerd::config
