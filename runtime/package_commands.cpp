#include "package_commands.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "config/load.hpp"
#include "package/package.hpp"
#include "package/values.hpp"

namespace triggerd {
namespace {

package::Packages packages_of(const std::string& config_file) {
  return {config_file, config::process_environment()};
}

std::string_view state_of(const config::Package& package) {
  if (!package.enabled) return "disabled";
  return package.problems.empty() ? "enabled" : "broken";
}

// A running runtime has read its packages already, and reads them again at a reload.
constexpr const char* kFromThen = "from the runtime's next start or reload on";

}  // namespace

PackageCommands::PackageCommands(command_line::Command root, const std::string& config_file)
    : config_file_(config_file),
      group_(root.command("package", "packages: aliases, triggers and plugins in one folder")),
      list_(group_.command("list", "packages, their versions and states")),
      enable_(group_.command("enable", "let a package run from the next start or reload on")),
      disable_(group_.command("disable", "keep a package from running")),
      pack_(group_.command("pack", "make an archive from a package's folder")),
      install_(group_.command("install", "install an archive, or upgrade to it")),
      remove_(group_.command("remove", "remove a package and its local values")) {
  group_.require_command();
  group_.fallthrough();  // --config may follow it
  for (command_line::Command command : {list_, enable_, disable_, pack_, install_, remove_}) {
    command.fallthrough();
  }
  for (command_line::Command command : {enable_, disable_, remove_}) {
    command.option("NAME", name_, "the package").required();
  }
  pack_.option("DIR", folder_, "the package's folder").required();
  pack_.option("-o,--output", archive_, "the archive: FILE.tar.zst or FILE.tar.gz").required();
  install_.option("FILE", archive_, "the archive").required();
  install_.option("--values", values_file_,
                  "a TOML file with hosts, client ids and logins for its aliases");
  install_.option("--set", values_, "ALIAS.KEY=VALUE, one such value; may be given many times")
      .one_value();
  install_.flag("--downgrade", downgrade_, "replace even a newer version");
}

int PackageCommands::run() const {
  Result<> done;
  if (list_.chosen()) done = list();
  if (enable_.chosen()) done = packages_of(config_file_).enable(name_);
  if (disable_.chosen()) done = packages_of(config_file_).disable(name_);
  if (pack_.chosen()) done = pack();
  if (install_.chosen()) done = install();
  if (remove_.chosen()) done = packages_of(config_file_).remove(name_);
  if (!done) {
    fmt::print(stderr, "triggerd: error: {}\n", done.error().message);
    return 1;
  }
  if (enable_.chosen() || disable_.chosen() || remove_.chosen()) {
    fmt::print("package \"{}\" is {}, {}\n", name_,
               enable_.chosen()    ? "enabled"
               : disable_.chosen() ? "disabled"
                                   : "removed",
               kFromThen);
  }
  return 0;
}

Result<> PackageCommands::list() const {
  const auto packages = packages_of(config_file_).list();
  if (!packages) return tl::make_unexpected(packages.error());
  if (packages->empty()) fmt::print("there are no packages\n");
  std::size_t names = 0;
  std::size_t versions = 1;
  for (const config::Package& package : *packages) {
    names = std::max(names, package.name.size());
    versions = std::max(versions, package.version.size());
  }
  for (const config::Package& package : *packages) {
    const std::string line =
        fmt::format("{:<{}}  {:<{}}  {:<8}  {}", package.name, names,
                    package.version.empty() ? std::string("?") : package.version, versions,
                    state_of(package), package.description);
    fmt::print("{}\n", std::string_view(line).substr(0, line.find_last_not_of(' ') + 1));
    if (!package.enabled) continue;
    for (const config::Diagnostic& problem : package.problems) {
      fmt::print("  {}\n", config::to_string(problem));
    }
  }
  return {};
}

Result<> PackageCommands::pack() const {
  const auto packed = package::pack_package(folder_, archive_);
  if (!packed) return tl::make_unexpected(packed.error());
  fmt::print("{}: package \"{}\", version {}: {} file{}, {} bytes\n", archive_, packed->name,
             packed->version, packed->files, packed->files == 1 ? "" : "s", packed->bytes);
  if (!packed->secrets.empty()) {
    fmt::print(stderr, "triggerd: warning: {}\n", package::warning_of(packed->secrets, archive_));
  }
  return {};
}

Result<> PackageCommands::install() const {
  config::LocalValues values;
  if (!values_file_.empty()) {
    auto read = package::read_values(values_file_, config::process_environment());
    if (!read) return tl::make_unexpected(read.error());
    values = *std::move(read);
  }
  config::LocalValues set;
  for (const std::string& assignment : values_) {
    if (auto added = package::add_value(assignment, set); !added) return added;
  }
  package::merge_values(set, values);
  const auto installed = packages_of(config_file_).install(archive_, values, downgrade_);
  if (!installed) return tl::make_unexpected(installed.error());
  fmt::print("package \"{}\" is installed: version {}{}{}; {}\n", installed->name,
             installed->version,
             installed->replaced.empty() ? "" : fmt::format(", instead of {}", installed->replaced),
             installed->aliases.empty()
                 ? ""
                 : fmt::format(", with alias{} {}", installed->aliases.size() == 1 ? "" : "es",
                               fmt::join(installed->aliases, ", ")),
             installed->enabled ? fmt::format("it runs {}", kFromThen) : "it is disabled");
  return {};
}

control::PackageChanges package_changes(const std::string& config_file) {
  using Confirm = package::Packages::Confirm;
  return {
      .enable =
          [config_file](std::string_view name, const Confirm& confirm) {
            return packages_of(config_file).enable(name, confirm);
          },
      .disable =
          [config_file](std::string_view name) { return packages_of(config_file).disable(name); },
      .install = [config_file](const std::string& archive, const std::vector<std::string>& values,
                               bool downgrade, const Confirm& confirm) -> Result<> {
        config::LocalValues set;
        for (const std::string& assignment : values) {
          if (auto added = package::add_value(assignment, set); !added) return added;
        }
        const auto installed = packages_of(config_file).install(archive, set, downgrade, confirm);
        if (!installed) return tl::make_unexpected(installed.error());
        return {};
      },
      .remove =
          [config_file](std::string_view name) { return packages_of(config_file).remove(name); }};
}

}  // namespace triggerd
