#include "config/load.hpp"

#include <unistd.h>

#include <algorithm>
#include <exception>
#include <map>

#include "base/file.hpp"
#include "config/diagnostics.hpp"
#include "config/local_values.hpp"
#include "config/parse_toml.hpp"
#include "config/sections.hpp"
#include "config/validate.hpp"

namespace triggerd::config {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDefaultFile = "triggers.toml";
constexpr const char* kTriggersFile = "triggers.toml";  // of a package
constexpr const char* kLocalFile = "local.toml";        // beside it
// Not "make it readable": it may hold a password.
constexpr std::string_view kLocalAdvice = "it must belong to the user that the runtime runs as";

class Loader {
 public:
  Loader(fs::path file, const Environment& environment)
      : file_(std::move(file)), folder_(file_.parent_path()), environment_(environment) {}

  // `advice` says what to do if the file cannot be read.
  void read_own_file(const fs::path& path, std::string_view advice, bool may_set_up = true) {
    const SourceFile file{.name = path.string(),
                          .folder = path.parent_path(),
                          .environment = environment_,
                          .diagnostics = diagnostics_,
                          .may_set_up = may_set_up};
    if (const auto root = read_toml(file, path, advice, sections_)) {
      read_sections(file, *root, sections_);
    }
  }

  // The folder's *.toml in name order, without hidden files, which editors and container mounts
  // leave behind.
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
      diagnostics_.add(Place{folder.string(), 0, 0},
                       fmt::format("cannot list {}: {}; it must be a readable folder",
                                   folder.string(), error.message()));
      sections_.complete = false;
      return;
    }
    std::sort(files.begin(), files.end());
    for (const fs::path& file : files) read_own_file(file, "make it readable, or remove it");
  }

  // What was defined at run time.
  void read_managed_file(const std::optional<std::string>& instead) {
    if (!sections_.complete) return;  // the file that could not be read may set state_dir
    const fs::path managed = state_dir() / kManagedFile;
    std::error_code error;
    if (instead) {
      const SourceFile file{.name = managed.string(),
                            .folder = managed.parent_path(),
                            .environment = environment_,
                            .diagnostics = diagnostics_,
                            .may_set_up = false};
      diagnostics_.begin_file(file.name);
      if (const auto root = parse(file, *instead, sections_)) {
        read_sections(file, *root, sections_);
      }
    } else if (fs::exists(managed, error)) {
      read_own_file(managed, "make it readable, or remove it", false);
    }
  }

  void read_packages(const PackageSource& source) {
    validate(sections_, diagnostics_);
    validate_admin(sections_, diagnostics_);
    if (!source || !sections_.complete) return;
    auto found = source(packages_dir(), state_dir());
    if (!found) {
      for (Diagnostic& diagnostic : found.error()) {
        diagnostics_.begin_file(diagnostic.place.file);
        diagnostics_.add(std::move(diagnostic.place), std::move(diagnostic.message));
      }
      return;
    }
    for (Package& package : *found) {
      if (package.problems.empty()) package.problems = blame_requirements(package);
      if (package.problems.empty()) package.problems = read_package(package);
      packages_.push_back(std::move(package));
    }
  }

  tl::expected<Config, std::vector<Diagnostic>> finish() {
    // An alias that seems to be missing may be in a package that could not be loaded.
    if (std::any_of(packages_.begin(), packages_.end(),
                    [](const Package& package) { return !package.problems.empty(); })) {
      sections_.complete = false;
    }
    validate_alias_references(sections_, "", diagnostics_);
    if (!diagnostics_.empty()) return tl::make_unexpected(all_diagnostics());
    Config config;
    config.runtime = std::move(sections_.runtime);
    if (config.runtime.name.empty()) config.runtime.name = host_name();
    config.runtime.state_dir = state_dir();
    if (config.runtime.state_dir_place.file.empty()) {
      config.runtime.state_dir_place.file = file_.string();
    }
    if (sections_.plugin_dirs) {
      config.runtime.plugin_dirs = *std::move(sections_.plugin_dirs);
    } else {
      config.runtime.plugin_dirs = {folder_ / "plugins"};
    }
    config.runtime.packages_dir = packages_dir();
    config.log = sections_.log;
    config.inbox = sections_.inbox;
    config.admin = std::move(sections_.admin);
    config.truststores = std::move(sections_.truststores);
    config.keystores = std::move(sections_.keystores);
    for (AliasDraft& draft : sections_.aliases) config.aliases.push_back(std::move(draft.alias));
    for (TriggerDraft& draft : sections_.triggers) {
      config.triggers.push_back(std::move(draft.trigger));
      Trigger& trigger = config.triggers.back();
      const auto of_plugin = config.log.plugins.find(trigger.plugin);
      if (!trigger.log_level && of_plugin != config.log.plugins.end()) {
        trigger.log_level = of_plugin->second;
      }
    }
    config.packages = std::move(packages_);
    return config;
  }

 private:
  fs::path state_dir() const { return sections_.state_dir.value_or(folder_ / "var"); }
  fs::path packages_dir() const { return sections_.packages_dir.value_or(folder_ / "packages"); }

  // nullopt, with the error in the file's diagnostics, if it cannot be read or is not TOML.
  static std::optional<Node> read_toml(const SourceFile& file, const fs::path& path,
                                       std::string_view advice, Sections& sections) {
    file.diagnostics.begin_file(file.name);
    const auto text = read_file(path, kMaxTomlFile);
    if (!text) {
      sections.complete = false;
      file.error({}, "{}; {}", text.error().message, advice);
      return std::nullopt;
    }
    return parse(file, *text, sections);
  }

  static std::optional<Node> parse(const SourceFile& file, const std::string& text,
                                   Sections& sections) {
    auto root = parse_toml(text);
    if (!root) {
      sections.complete = false;
      file.error(root.error().spot, "{}", root.error().message);
      return std::nullopt;
    }
    return *std::move(root);
  }

  // The requirements of `package` that could not be loaded.
  std::vector<Diagnostic> blame_requirements(const Package& package) const {
    std::vector<Diagnostic> problems;
    for (const Requirement& requirement : package.requirements) {
      for (const Package& other : packages_) {
        if (other.name != requirement.name || other.problems.empty()) continue;
        problems.push_back({requirement.place,
                            fmt::format("package \"{}\" requires package \"{}\", which cannot be "
                                        "loaded",
                                        package.name, other.name)});
      }
    }
    return problems;
  }

  // Takes everything that `package` carries, or nothing, and then returns the reasons.
  std::vector<Diagnostic> read_package(const Package& package) {
    const fs::path folder = package.staged_in.empty() ? package.folder : package.staged_in;
    std::error_code error;
    if (!fs::exists(fs::symlink_status(folder / kTriggersFile, error))) return {};
    Diagnostics found;
    Sections tried = sections_;
    std::set<std::string>& required = tried.requirements[package.name];
    for (const Requirement& requirement : package.requirements) required.insert(requirement.name);
    const auto source = [&](const char* name) {
      return SourceFile{.name = (package.folder / name).string(),
                        .folder = folder,
                        .environment = environment_,
                        .diagnostics = found,
                        .package = package.name,
                        .may_set_up = false};
    };
    const SourceFile file = source(kTriggersFile);
    auto root = read_toml(file, folder / kTriggersFile, "make it readable", tried);
    if (root && fs::exists(fs::symlink_status(folder / kLocalFile, error))) {
      const SourceFile local = source(kLocalFile);
      if (const auto values = read_toml(local, folder / kLocalFile, kLocalAdvice, tried)) {
        apply_local_values(local, read_local_values(local, *values), *root);
      }
    }
    if (root && found.empty()) {
      read_sections(file, *root, tried);
      Diagnostics all;  // those of other files have been reported already
      validate(tried, all);
      for (Diagnostic& diagnostic : std::move(all).sorted()) {
        if (diagnostic.place.file != file.name) continue;
        found.add(std::move(diagnostic.place), std::move(diagnostic.message));
      }
      validate_alias_references(tried, package.name, found);
    }
    if (!found.empty()) return std::move(found).sorted();
    if (!package.enabled) disable(tried, package.name);
    sections_ = std::move(tried);
    return {};
  }

  static void disable(Sections& sections, const std::string& package) {
    for (AliasDraft& draft : sections.aliases) {
      if (draft.alias.package == package) draft.alias.enabled = false;
    }
    for (TriggerDraft& draft : sections.triggers) {
      if (draft.trigger.package == package) draft.trigger.enabled = false;
    }
  }

  // Including those of packages: whoever fixes one error wants to see all of them.
  std::vector<Diagnostic> all_diagnostics() {
    std::vector<Diagnostic> all = std::move(diagnostics_).sorted();
    for (const Package& package : packages_) {
      if (package.enabled) all.insert(all.end(), package.problems.begin(), package.problems.end());
    }
    return all;
  }

  static std::string host_name() {
    char name[256] = {};
    if (::gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') return "triggerd";
    return name;
  }

  const fs::path file_;
  const fs::path folder_;
  const Environment& environment_;
  Diagnostics diagnostics_;
  Sections sections_;
  std::vector<Package> packages_;
};

}  // namespace

tl::expected<Config, std::vector<Diagnostic>> load(const fs::path& file,
                                                   const Environment& environment,
                                                   const PackageSource& packages,
                                                   const std::optional<std::string>& managed) {
  try {
    Loader loader(file, environment);
    // Whoever gave another name knows --config already.
    loader.read_own_file(file, file == kDefaultFile ? "name the configuration with --config"
                                                    : "it must be a readable file");
    loader.read_folder(file.parent_path() / "conf.d");
    loader.read_managed_file(managed);
    loader.read_packages(packages);
    return loader.finish();
  } catch (const std::exception& error) {
    return tl::make_unexpected(std::vector{
        Diagnostic{Place{file.string(), 0, 0}, fmt::format("cannot be read: {}", error.what())}});
  }
}

}  // namespace triggerd::config
