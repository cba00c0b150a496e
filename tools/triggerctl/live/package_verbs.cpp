// A running triggerd changes packages itself, and applies the change; if none is running, they are
// changed in their folder, for its next start.
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "client/api.hpp"
#include "client/unreachable.hpp"
#include "config/load.hpp"
#include "live/live_verbs.hpp"
#include "live/report_view.hpp"
#include "live/status_view.hpp"
#include "package/package.hpp"
#include "package/values.hpp"

namespace triggerctl {
namespace {

namespace config = triggerd::config;
namespace package = triggerd::package;

struct InstallOptions {
  std::string archive;
  std::string values_file;
  std::vector<std::string> set;
  bool downgrade = false;
};

tl::unexpected<triggerd::Error> usage_error(const triggerd::Error& error) {
  return tl::make_unexpected(triggerd::Error{error.message, kUsage});
}

// Whether no triggerd is running that could be asked.
bool is_stopped(const Api& api) {
  return !api.endpoint().config_file.empty() && nobody_runs(api.endpoint());
}
package::Packages packages_of(const Api& api) {
  return {api.endpoint().config_file, config::process_environment()};
}

Json json_of(const config::Package& from) {
  Json json = {{"name", from.name},
               {"version", from.version},
               {"description", from.description},
               {"enabled", from.enabled},
               {"state", !from.enabled           ? "disabled"
                         : from.problems.empty() ? "enabled"
                                                 : "broken"}};
  for (const config::Diagnostic& problem : from.problems) {
    json["problems"].push_back(config::to_string(problem));
  }
  return json;
}

Result<int> list_packages(const Api& api) {
  Result<Json> all = Json{{"items", Json::array()}};
  if (is_stopped(api)) {
    const auto found = packages_of(api).list();
    if (!found) return usage_error(found.error());
    for (const config::Package& each : *found) (*all)["items"].push_back(json_of(each));
  } else {
    all = api.get("/packages");
  }
  if (!all) return tl::make_unexpected(all.error());
  if (json_wanted()) {
    print_json(*all);
  } else if (list_of(*all, "items").empty()) {
    fmt::print("there are no packages\n");
  } else {
    fmt::print("{}", packages_text(list_of(*all, "items")));
  }
  return kDone;
}

int print_change(const std::string& name, const char* done) {
  if (json_wanted()) {
    print_json({{"package", name}, {"done", done}, {"applied", false}});
  } else {
    fmt::print("package \"{}\" is {}, from triggerd's next start on: it is not running now\n",
               safe(name), done);
  }
  return kDone;
}

Result<int> change(const Api& api, const std::string& verb, const std::string& name) {
  if (is_stopped(api)) {
    auto packages = packages_of(api);
    const auto done = verb == "enable"    ? packages.enable(name)
                      : verb == "disable" ? packages.disable(name)
                                          : packages.remove(name);
    if (!done) return tl::make_unexpected(done.error());
    return print_change(name, verb == "enable"    ? "enabled"
                              : verb == "disable" ? "disabled"
                                                  : "removed");
  }
  const std::string path = "/packages/" + triggerd::percent_encoded(name);
  const auto report = verb == "remove" ? api.remove(path) : api.post(path + "/" + verb);
  if (!report) return tl::make_unexpected(report.error());
  return print_report(*report);
}

Result<config::LocalValues> values_of(const InstallOptions& options) {
  config::LocalValues values;
  if (!options.values_file.empty()) {
    auto read = package::read_values(options.values_file, config::process_environment());
    if (!read) return usage_error(read.error());
    values = *std::move(read);
  }
  config::LocalValues set;
  for (const std::string& assignment : options.set) {
    if (auto added = package::add_value(assignment, set); !added) return usage_error(added.error());
  }
  package::merge_values(set, values);
  return values;
}

Result<int> install(const Api& api, const InstallOptions& options) {
  const auto values = values_of(options);
  if (!values) return tl::make_unexpected(values.error());
  if (is_stopped(api)) {
    const auto done = packages_of(api).install(options.archive, *values, options.downgrade);
    if (!done) return tl::make_unexpected(done.error());
    return print_change(done->name, "installed");
  }
  Json body = {{"archive", std::filesystem::absolute(options.archive).string()},
               {"downgrade", options.downgrade}};
  for (const auto& [alias, local] : *values) {
    for (const auto& [key, value] : local.values) {
      body["values"].push_back(fmt::format("{}.{}={}", alias, key, value));
    }
  }
  Progress progress;
  progress.show("installing ...");
  const auto report = api.post("/packages", body);
  progress.show("");
  if (!report) return tl::make_unexpected(report.error());
  return print_report(*report);
}

int pack(const std::string& folder, const std::string& archive) {
  Result<package::PackedPackage> packed;
  {
    Progress progress;
    progress.show("packing ...");
    packed = package::pack_package(folder, archive);
  }
  if (!packed) return fail_with(packed.error());
  if (!packed->secrets.empty()) {
    fmt::print(stderr, "triggerctl: warning: {}\n",
               safe_lines(package::warning_of(packed->secrets, archive)));
  }
  if (json_wanted()) {
    Json secrets = Json::array();
    for (const package::SecretFile& secret : packed->secrets) {
      secrets.push_back({{"file", secret.name}, {"what", secret.what}});
    }
    print_json({{"archive", archive},
                {"package", packed->name},
                {"version", packed->version},
                {"files", packed->files},
                {"bytes", packed->bytes},
                {"secrets", std::move(secrets)}});
  } else {
    fmt::print("{}: package \"{}\", version {}: {}, {} bytes\n", archive, packed->name,
               packed->version, counted(packed->files, "file"), packed->bytes);
  }
  return kDone;
}

void add_change(CommandLine& line, Command group, const std::string& verb,
                const std::string& description) {
  const auto name = std::make_shared<std::string>();
  Command made = line.live_verb(group, verb, description,
                                [verb, name](const Api& api) { return change(api, verb, *name); });
  made.option("NAME", *name, "the package").required();
}

}  // namespace

void add_package_verbs(CommandLine& line) {
  Command group = line.group("package", "packages: aliases, triggers and plugins in one folder");
  line.live_verb(group, "list", "packages, their versions and states", list_packages);
  add_change(line, group, "enable", "let a package run");
  add_change(line, group, "disable",
             "keep a package from running; sessions are kept on the servers");

  struct PackOptions {
    std::string folder;
    std::string archive;
  };
  const auto packing = std::make_shared<PackOptions>();
  Command packed = line.verb(group, "pack", "make an archive from a package's folder",
                             [packing] { return pack(packing->folder, packing->archive); });
  packed.option("DIR", packing->folder, "the package's folder").required();
  packed.option("-o,--output", packing->archive, "the archive: FILE.tar.zst or FILE.tar.gz")
      .required();

  const auto options = std::make_shared<InstallOptions>();
  Command installed =
      line.live_verb(group, "install",
                     "install an archive that is on the same machine as triggerd, or upgrade to it",
                     [options](const Api& api) { return install(api, *options); });
  installed.option("FILE", options->archive, "the archive").required();
  installed.option("--values", options->values_file,
                   "a TOML file with hosts, client ids and logins for its aliases");
  installed
      .option("--set", options->set, "ALIAS.KEY=VALUE, one such value; may be given many times")
      .one_value();
  installed.flag("--downgrade", options->downgrade, "replace even a newer version");

  add_change(line, group, "remove", "remove a package and its local values");
}

}  // namespace triggerctl
