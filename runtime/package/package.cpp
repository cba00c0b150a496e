#include "package/package.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "base/text.hpp"
#include "config/diagnostics.hpp"
#include "config/parse_toml.hpp"
#include "package/durable.hpp"
#include "package/entry_name.hpp"
#include "package/pack.hpp"
#include "package/package_file.hpp"
#include "package/state_file.hpp"
#include "package/unpack.hpp"
#include "package/values.hpp"

namespace triggerd::package {
namespace {

namespace fs = std::filesystem;

std::string lines_of(const std::vector<config::Diagnostic>& diagnostics) {
  std::string lines;
  for (const config::Diagnostic& diagnostic : diagnostics) {
    lines += (lines.empty() ? "" : "\n") + config::to_string(diagnostic);
  }
  return lines;
}

tl::unexpected<Error> configuration_error(const std::vector<config::Diagnostic>& diagnostics) {
  return fail("the configuration has errors:\n{}", lines_of(diagnostics));
}

Candidate* find(std::vector<Candidate>& candidates, std::string_view name) {
  const auto found =
      std::find_if(candidates.begin(), candidates.end(),
                   [name](const Candidate& candidate) { return candidate.name == name; });
  return found == candidates.end() ? nullptr : &*found;
}

// Exchanges the names of two packages' folders in one step.
Result<> exchange(const fs::path& staged, const fs::path& target) {
  if (::renameat2(AT_FDCWD, staged.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0) {
    return {};
  }
  if (errno == EINVAL || errno == ENOSYS) {
    return fail(
        "the file system of {} cannot exchange two folders in one step; remove the package "
        "first, then install it",
        target.string());
  }
  return fail("cannot replace {}: {}", target.string(), errno_text(errno));
}

Result<> rename_new(const fs::path& from, const fs::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return {};
  // File systems without that flag: nobody else makes this folder while the lock is held.
  if (errno == EINVAL && ::rename(from.c_str(), to.c_str()) == 0) return {};
  return fail("cannot create {}: {}", to.string(), errno_text(errno));
}

}  // namespace

config::PackageSource source() {
  return [](const fs::path& packages_dir, const fs::path& state_dir)
             -> tl::expected<std::vector<config::Package>, std::vector<config::Diagnostic>> {
    const auto failed = [](const fs::path& file, const Error& error) {
      return tl::make_unexpected(
          std::vector{config::Diagnostic{{file.string(), 0, 0}, error.message}});
    };
    const auto disabled = read_disabled(state_dir);
    if (!disabled) return failed(state_dir / kStateFile, disabled.error());
    const auto candidates = find_candidates(packages_dir, *disabled);
    if (!candidates) return failed(packages_dir, candidates.error());
    return resolve(*candidates);
  };
}

Result<PackedPackage> pack_package(const fs::path& folder, const fs::path& archive) {
  const auto file = read_package_file(folder, (folder / kPackageFile).string());
  if (!file) {
    return fail("{} cannot be packed:\n{}", folder.string(), lines_of(file.error()));
  }
  const fs::path triggers = folder / "triggers.toml";
  std::error_code error;
  if (fs::exists(fs::symlink_status(triggers, error))) {
    const auto text = read_file(triggers, kMaxEntrySize);
    if (!text) return tl::make_unexpected(text.error());
    if (const auto root = config::parse_toml(*text); !root) {
      const config::Spot& spot = root.error().spot;
      return fail("{} cannot be packed:\n{}", folder.string(),
                  lines_of({{{triggers.string(), spot.line, spot.column}, root.error().message}}));
    }
  }
  const auto packed = pack(folder, archive);
  if (!packed) return tl::make_unexpected(packed.error());
  return PackedPackage{file->name, file->version_text, packed->files, packed->bytes,
                       packed->secrets};
}

struct Packages::Scene {
  config::Config config;
  std::set<std::string> disabled;
  std::vector<Candidate> candidates;
  std::optional<FolderLock> lock;  // held for a change

  const fs::path& packages_dir() const { return config.runtime.packages_dir; }
  const fs::path& state_dir() const { return config.runtime.state_dir; }

  Result<const config::Package*> find(std::string_view name) const {
    const config::Package* package = config.find_package(name);
    if (package != nullptr) return package;
    std::vector<std::string_view> names;
    for (const config::Package& other : config.packages) names.push_back(other.name);
    return fail("there is no package \"{}\" in {}{}", printable(name), packages_dir().string(),
                config::did_you_mean(name, names));
  }
};

Packages::Packages(fs::path config_file, config::Environment environment,
                   std::function<void(std::string_view)> after_step)
    : config_file_(std::move(config_file)),
      environment_(std::move(environment)),
      after_step_(std::move(after_step)) {}

Result<Packages::Scene> Packages::look(Purpose purpose) const {
  Scene scene;
  if (purpose == Purpose::change) {
    // The lock is taken before anything is read that the change depends on. Packages are loaded
    // too, because the runtime's own files may use their aliases.
    const auto folders = config::load(config_file_, environment_, source());
    if (!folders) return configuration_error(folders.error());
    auto lock = FolderLock::take(folders->runtime.packages_dir);
    if (!lock) return tl::make_unexpected(lock.error());
    scene.lock.emplace(*std::move(lock));
  }
  auto loaded = config::load(config_file_, environment_, source());
  if (!loaded) return configuration_error(loaded.error());
  scene.config = *std::move(loaded);
  auto disabled = read_disabled(scene.state_dir());
  if (!disabled) return tl::make_unexpected(disabled.error());
  scene.disabled = *std::move(disabled);
  auto candidates = find_candidates(scene.packages_dir(), scene.disabled);
  if (!candidates) return tl::make_unexpected(candidates.error());
  scene.candidates = *std::move(candidates);
  return scene;
}

Result<config::Config> Packages::load_with(const std::vector<Candidate>& candidates) const {
  auto loaded = config::load(config_file_, environment_,
                             [&](const fs::path&, const fs::path&) { return resolve(candidates); });
  if (!loaded) return configuration_error(loaded.error());
  return *std::move(loaded);
}

// Whether `name`, and every package that loads now, could be loaded with these candidates.
Result<> Packages::judge(const Scene& scene, const std::vector<Candidate>& candidates,
                         std::string_view name) const {
  const auto loaded = load_with(candidates);
  if (!loaded) return tl::make_unexpected(loaded.error());
  std::vector<config::Diagnostic> problems;
  for (const config::Package& package : loaded->packages) {
    const config::Package* before = scene.config.find_package(package.name);
    const bool was_whole = before != nullptr && before->problems.empty();
    if (package.enabled && (package.name == name || was_whole)) {
      problems.insert(problems.end(), package.problems.begin(), package.problems.end());
    }
  }
  if (problems.empty()) return {};
  return fail("{}", lines_of(problems));
}

Result<> Packages::refuse_if_required(const Scene& scene, std::string_view name,
                                      std::string_view what) const {
  for (const config::Package& package : scene.config.packages) {
    if (!package.enabled || !package.problems.empty()) continue;
    for (const config::Requirement& requirement : package.requirements) {
      if (requirement.name != name) continue;
      return fail("package \"{}\" cannot be {}: package \"{}\" requires it; disable that one first",
                  name, what, package.name);
    }
  }
  return {};
}

Result<std::vector<config::Package>> Packages::list() const {
  auto scene = look(Purpose::list);
  if (!scene) return tl::make_unexpected(scene.error());
  return std::move(scene->config.packages);
}

Result<> Packages::enable(std::string_view name, const Confirm& confirm) {
  auto scene = look(Purpose::change);
  if (!scene) return tl::make_unexpected(scene.error());
  if (auto found = scene->find(name); !found) return tl::make_unexpected(found.error());
  find(scene->candidates, name)->enabled = true;
  if (auto good = judge(*scene, scene->candidates, name); !good) {
    return fail("package \"{}\" cannot be enabled:\n{}", name, good.error().message);
  }
  const std::set<std::string> before = scene->disabled;
  if (scene->disabled.erase(std::string(name)) > 0) {
    auto done = write_disabled(scene->state_dir(), scene->disabled);
    if (!done) return done;
  }
  if (!confirm) return {};
  auto taken = confirm(std::string(name));
  if (taken || before == scene->disabled) return taken;
  auto undone = write_disabled(scene->state_dir(), before);
  if (!undone)
    return fail("{}\nit stays enabled, because that could not be undone: {}", taken.error().message,
                undone.error().message);
  return taken;
}

Result<> Packages::disable(std::string_view name) {
  auto scene = look(Purpose::change);
  if (!scene) return tl::make_unexpected(scene.error());
  if (auto found = scene->find(name); !found) return tl::make_unexpected(found.error());
  if (auto good = refuse_if_required(*scene, name, "disabled"); !good) return good;
  if (!scene->disabled.emplace(name).second) return {};
  return write_disabled(scene->state_dir(), scene->disabled);
}

// The previous package, if any, is then at `staged`, until that is removed.
Result<> Packages::put_in_place(const Scene& scene, const fs::path& staged, const std::string& name,
                                bool is_new, const Confirm& confirm) const {
  const fs::path target = scene.packages_dir() / name;
  // One that was removed while it was disabled: nobody has disabled the new one.
  const bool was_disabled = is_new && scene.disabled.count(name) > 0;
  if (was_disabled) {
    std::set<std::string> disabled = scene.disabled;
    disabled.erase(name);
    if (auto done = write_disabled(scene.state_dir(), disabled); !done) return done;
  }
  auto done = is_new ? rename_new(staged, target) : exchange(staged, target);
  if (!done) return done;
  after_step_("renamed");
  if (auto kept = sync_folder(scene.packages_dir()); !kept) return kept;
  after_step_("synced");
  if (!confirm) return {};
  auto taken = confirm(name);
  if (taken) return taken;
  auto undone = is_new ? rename_new(target, staged) : exchange(staged, target);
  if (undone) undone = sync_folder(scene.packages_dir());
  if (undone && was_disabled) undone = write_disabled(scene.state_dir(), scene.disabled);
  if (undone) return taken;
  return fail("{}\nit stays installed, because that could not be undone: {}", taken.error().message,
              undone.error().message);
}

Result<Installed> Packages::install(const fs::path& archive, const config::LocalValues& values,
                                    bool downgrade, const Confirm& confirm) {
  auto scene = look(Purpose::change);
  if (!scene) return tl::make_unexpected(scene.error());
  const fs::path& packages_dir = scene->packages_dir();
  Staging::remove_leftovers(packages_dir);
  auto staging = Staging::make(packages_dir);
  if (!staging) return tl::make_unexpected(staging.error());
  const auto not_installed = [&archive](const std::string& lines) {
    return fail("{} is not installed:\n{}", archive.string(), lines);
  };
  const fs::path staged = staging->path() / "package";
  std::error_code error;
  fs::create_directory(staged, error);
  if (error) return fail("cannot create {}: {}", staged.string(), error.message());
  if (auto set = set_folder_mode(staged, 0755); !set) return tl::make_unexpected(set.error());
  if (auto done = unpack(archive, staged); !done) return tl::make_unexpected(done.error());
  after_step_("unpacked");

  const auto file = read_package_file(staged, fmt::format("{}/{}", archive.string(), kPackageFile));
  if (!file) return not_installed(lines_of(file.error()));
  Installed installed{.name = file->name, .version = file->version_text, .replaced = {}};
  const fs::path target = packages_dir / file->name;
  Candidate* before = find(scene->candidates, file->name);
  if (before == nullptr && fs::exists(fs::symlink_status(target, error))) {
    return fail("{} is in the way: it is not a folder", target.string());
  }
  if (before != nullptr) {
    if (fs::is_symlink(target, error)) {
      return fail(
          "{} is a link to another folder, where somebody is working on the package; remove the "
          "link first",
          target.string());
    }
    installed.replaced = scene->config.find_package(file->name)->version;
    const auto version = parse_version(installed.replaced);
    if (version && file->version < *version && !downgrade) {
      return fail(
          "package \"{}\" is installed in version {}, which is newer than {}; to replace it "
          "anyway, ask for a downgrade (--downgrade)",
          file->name, installed.replaced, file->version_text);
    }
    installed.enabled = before->enabled;
  }

  config::LocalValues local;
  if (before != nullptr && fs::exists(target / kLocalFile, error)) {
    auto kept = read_values(target / kLocalFile, environment_);
    if (!kept) return tl::make_unexpected(kept.error());
    local = *std::move(kept);
  }
  merge_values(values, local);
  if (!local.empty()) {
    // It may hold a password, so nobody else reads it.
    auto written = write_file(staged / kLocalFile, values_text(local));
    if (!written) return tl::make_unexpected(written.error());
  }

  std::vector<Candidate> candidates = scene->candidates;
  if (Candidate* replaced = find(candidates, file->name)) {
    replaced->staged_in = staged;
  } else {
    candidates.push_back({file->name, target, staged, true});
  }
  if (auto good = judge(*scene, candidates, file->name); !good) {
    return not_installed(good.error().message);
  }
  if (auto seen = load_with(candidates)) {
    for (const config::Alias& alias : seen->aliases) {
      if (alias.package == file->name) installed.aliases.push_back(alias.name);
    }
  }
  if (auto given = give_tree_to_owner_of(packages_dir, staged); !given) {
    return tl::make_unexpected(given.error());
  }
  if (auto done = sync_folder(staged); !done) return tl::make_unexpected(done.error());
  after_step_("staged");
  if (auto done = put_in_place(*scene, staged, file->name, before == nullptr, confirm); !done) {
    return tl::make_unexpected(done.error());
  }
  return installed;
}

Result<> Packages::remove(std::string_view name) {
  auto scene = look(Purpose::change);
  if (!scene) return tl::make_unexpected(scene.error());
  if (auto found = scene->find(name); !found) return tl::make_unexpected(found.error());
  const fs::path& packages_dir = scene->packages_dir();
  if (auto good = refuse_if_required(*scene, name, "removed"); !good) return good;
  std::vector<Candidate> others = scene->candidates;
  std::erase_if(others, [name](const Candidate& candidate) { return candidate.name == name; });
  if (auto good = judge(*scene, others, name); !good) {
    return fail("package \"{}\" cannot be removed:\n{}", name, good.error().message);
  }
  Staging::remove_leftovers(packages_dir);
  auto staging = Staging::make(packages_dir);
  if (!staging) return tl::make_unexpected(staging.error());
  if (auto done = rename_new(packages_dir / name, staging->path() / "package"); !done) return done;
  after_step_("renamed");
  if (auto done = sync_folder(packages_dir); !done) return done;
  if (scene->disabled.erase(std::string(name)) == 0) return {};
  return write_disabled(scene->state_dir(), scene->disabled);
}

}  // namespace triggerd::package
