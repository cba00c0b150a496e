// package/: folders that carry aliases, triggers and plugins together. It knows base/ and config/;
// what a trigger does with a message, and what is in a plugin, it does not know.
//
//   package.hpp       what a person does with packages, from listing to removing them
//   package_file.hpp  package.toml, and what packages may be called
//   version.hpp       versions and ranges of them
//   dependencies.hpp  which packages there are, and the order of loading
//   state_file.hpp    which are disabled
//   values.hpp        local.toml: what is different on this machine
//   pack.hpp          a folder -> an archive
//   unpack.hpp        an archive -> a folder, or a refusal
//   manifest.hpp      the archive's list of digests
//   secrets.hpp       which files are for their owner alone
//   entry_name.hpp    which files may be in it
//   durable.hpp       files and folders that survive a power cut
//
// On the disk, below packages_dir:
//
//   NAME/package.toml    what it says of itself
//   NAME/triggers.toml   its aliases and triggers
//   NAME/plugins/        its plugins
//   NAME/local.toml      this machine's hosts and logins, in no archive, kept by upgrades
//   .lock .staging-*     of whoever changes packages
//
// The runtime reads all this when it starts and at each reload. So whatever is changed here, by
// this process or another one, holds from the next of these on.
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

// What config::load() asks for the packages.
config::PackageSource source();

// pack(), of a folder whose package.toml and triggers.toml can be read: what cannot be installed
// anywhere is not packed.
struct PackedPackage {
  std::string name;
  std::string version;
  std::size_t files = 0;
  std::uint64_t bytes = 0;
  std::vector<SecretFile> secrets;  // with one of them, the archive is for its owner alone
};
Result<PackedPackage> pack_package(const std::filesystem::path& folder,
                                   const std::filesystem::path& archive);

struct Installed {
  std::string name;
  std::string version;
  std::string replaced;  // version; empty: there was none
  bool enabled = true;
  std::vector<std::string> aliases;
};

// Any thread; one process at a time changes something, a second one is refused. Errors of the
// configuration come as its lines, joined with newlines.
class Packages {
 public:
  // The configuration is read anew by every call: a package is judged by what it would meet.
  // `after_step` is for tests that end the process at each step of a change.
  Packages(
      std::filesystem::path config_file, config::Environment environment,
      std::function<void(std::string_view step)> after_step = [](std::string_view) {});

  // Asked once a change of package `name` is made and before it is final: an error undoes it, and
  // is what the call returns. Whatever dies meanwhile leaves the change made.
  using Confirm = std::function<Result<>(const std::string& name)>;

  // All of them, with what is wrong with them, those that are required first.
  Result<std::vector<config::Package>> list() const;

  // Refused where the package could not be loaded, or where packages that run require it.
  Result<> enable(std::string_view name, const Confirm& confirm = {});
  Result<> disable(std::string_view name);

  // Whole or not at all, whatever dies in between: afterwards there is the package as it was
  // before, or the new one. Refused where it, or any package that is whole now, could not be
  // loaded; or where a newer version is there, unless `downgrade`. `values` are kept beside the
  // package, and those of the version before that they do not replace stay.
  Result<Installed> install(const std::filesystem::path& archive,
                            const config::LocalValues& values = {}, bool downgrade = false,
                            const Confirm& confirm = {});

  // With its local values. Refused where packages that run require it, or where the configuration
  // could not be loaded without it.
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
