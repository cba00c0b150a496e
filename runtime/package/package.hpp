// package/: folders that carry aliases, triggers and plugins together. It knows base/ and config/,
// but not what a trigger does with a message or what a plugin contains.
//
//   package.hpp       what a person does with packages, from listing to removing them
//   package_file.hpp  package.toml, and what packages may be called
//   version.hpp       versions and ranges of them
//   dependencies.hpp  which packages there are, and the order of loading
//   state_file.hpp    which packages are disabled
//   values.hpp        local.toml: this machine's values
//   pack.hpp          a folder -> an archive
//   unpack.hpp        an archive -> a folder, or a refusal
//   manifest.hpp      the archive's list of digests
//   secrets.hpp       which files only their owner may read
//   entry_name.hpp    which files a package may contain
//   durable.hpp       files and folders that survive a power cut
//
// On the disk, below packages_dir:
//
//   NAME/package.toml    its name, version, description and requirements
//   NAME/triggers.toml   its aliases and triggers
//   NAME/plugins/        its plugins
//   NAME/local.toml      this machine's hosts and logins, in no archive, kept by upgrades
//   .lock .staging-*     used while packages are being changed
//
// The runtime reads all this when it starts and at each reload. So a change that is made here, by
// this process or another one, takes effect at the next start or reload.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "config/load.hpp"
#include "config/local_values.hpp"
#include "package/dependencies.hpp"
#include "package/secrets.hpp"

namespace triggerd::package {

// The source of packages for config::load().
config::PackageSource source();

// Calls pack() if package.toml and triggers.toml in `folder` can be read: a package that could not
// be installed anywhere is not packed.
struct PackedPackage {
  std::string name;
  std::string version;
  std::size_t files = 0;
  std::uint64_t bytes = 0;
  std::vector<SecretFile> secrets;  // if any, only the owner may read the archive
};
Result<PackedPackage> pack_package(const std::filesystem::path& folder,
                                   const std::filesystem::path& archive);

struct Installed {
  std::string name;
  std::string version;
  std::string replaced;  // the version that was replaced; empty: none
  bool enabled = true;
  std::vector<std::string> aliases;
};

// For any thread. Only one change is made at a time: another one, even by another process, is
// refused. Errors in the configuration are returned one per line.
class Packages {
 public:
  // Every call reads the configuration again, so that packages are checked against what is there.
  // `after_step` is for tests that end the process at each step of a change.
  Packages(
      std::filesystem::path config_file, config::Environment environment,
      std::function<void(std::string_view step)> after_step = [](std::string_view) {});

  // Called after package `name` is changed, and before the change is final. If it returns an error,
  // the change is undone, and enable() or install() returns that error. If the process crashes in
  // between, the change stays.
  using Confirm = std::function<Result<>(const std::string& name)>;

  // All packages with their problems, each after those it requires.
  Result<std::vector<config::Package>> list() const;

  // Enabling is refused if the package, or with it another one that loads now, could not be
  // loaded. Disabling is refused if packages that load now require it.
  Result<> enable(std::string_view name, const Confirm& confirm = {});
  Result<> disable(std::string_view name);

  // All or nothing, even after a crash: afterwards either the old package is installed or the new
  // one. Refused if the new one could not be loaded, or if with it another package that loads now
  // could not; or if a newer version is installed, unless `downgrade`. `values` are written to
  // local.toml, together with those of the previous version that they do not replace.
  Result<Installed> install(const std::filesystem::path& archive,
                            const config::LocalValues& values = {}, bool downgrade = false,
                            const Confirm& confirm = {});

  // Removes the package and its local values. Refused if packages that load now require it, or if
  // the configuration could not be loaded without it.
  Result<> remove(std::string_view name);

 private:
  struct Scene;  // the configuration and its packages, before a change
  enum class Purpose { list, change };
  Result<Scene> look(Purpose purpose) const;
  Result<config::Config> load_with(const std::vector<Candidate>& candidates) const;
  Result<> refuse_if_required(const Scene& scene, std::string_view name,
                              std::string_view what) const;
  Result<> put_in_place(const Scene& scene, const std::filesystem::path& staged,
                        const std::string& name, bool is_new, const Confirm& confirm) const;
  Result<> judge(const Scene& scene, const std::vector<Candidate>& candidates,
                 std::string_view name) const;

  const std::filesystem::path config_file_;
  const config::Environment environment_;
  const std::function<void(std::string_view)> after_step_;
};

}  // namespace triggerd::package
