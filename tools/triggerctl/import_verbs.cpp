#include "import_verbs.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/file.hpp"
#include "output.hpp"
#include "private_file.hpp"
#include "webmethods/webmethods.hpp"

namespace triggerctl {
namespace {

namespace fs = std::filesystem;
using triggerd::fail;
using triggerd::Result;
using triggerd::webmethods::Imported;
using triggerd::webmethods::ImportedPackage;
using triggerd::webmethods::Remark;

constexpr std::size_t kMaxFile = 17U << 20;  // the importer reports that it is too large

struct ImportOptions {
  std::string file;
  std::string output;
  std::vector<std::string> services;
  bool exact = false;
};

void print_remarks(const std::vector<Remark>& remarks, const std::string& file, const char* kind) {
  for (const Remark& remark : remarks) {
    fmt::print(stderr, "{}\n", triggerd::webmethods::to_string(remark, file, kind));
  }
}

// Writes the configuration, and its packages beside it; all or nothing. Never replaces what exists
// already, which may be somebody's work.
Result<> write_import(const fs::path& file, const Imported& imported) {
  const fs::path packages = file.parent_path() / "packages";
  std::error_code error;
  for (const ImportedPackage& package : imported.packages) {
    const fs::path folder = packages / package.name;
    if (fs::exists(fs::symlink_status(folder, error))) {
      return fail("{} exists already; move it away, or write elsewhere", folder.string());
    }
  }
  if (auto written = write_private_file(file, imported.toml); !written) return written;
  std::vector<fs::path> made{file};
  const auto write_package = [&](const ImportedPackage& package) -> Result<> {
    const fs::path folder = packages / package.name;
    if (fs::create_directory(packages, error)) made.push_back(packages);
    if (!error && fs::create_directory(folder, error)) made.push_back(folder);
    if (error) return fail("cannot create {}: {}", folder.string(), error.message());
    for (const auto& [name, text] : {std::pair("package.toml", &package.package_toml),
                                     std::pair("triggers.toml", &package.triggers_toml)}) {
      if (auto written = write_private_file(folder / name, *text); !written) return written;
      made.push_back(folder / name);
    }
    return {};
  };
  for (const ImportedPackage& package : imported.packages) {
    auto written = write_package(package);
    if (written) continue;
    for (auto path = made.rbegin(); path != made.rend(); ++path) fs::remove(*path, error);
    return written;
  }
  return {};
}

void print_as_json(const Imported& imported) {
  Json differences = Json::array();
  for (const Remark& remark : imported.differences) {
    differences.push_back(Json{{"line", remark.line}, {"text", remark.text}});
  }
  Json packages = Json::array();
  for (const ImportedPackage& package : imported.packages) {
    packages.push_back(Json{{"name", package.name},
                            {"package_toml", package.package_toml},
                            {"triggers_toml", package.triggers_toml}});
  }
  print_json(Json{{"aliases", imported.aliases},
                  {"triggers", imported.triggers},
                  {"differences", std::move(differences)},
                  {"toml", imported.toml},
                  {"packages", std::move(packages)}});
}

int import(const ImportOptions& chosen) {
  triggerd::webmethods::Options options{
      .file = chosen.file, .exact = chosen.exact, .flat = chosen.output.empty() && !json_wanted()};
  for (const std::string& service : chosen.services) {
    const std::size_t equals = service.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == service.size()) {
      fail_with(fmt::format("--service \"{}\" is not FOLDER:NAME=PLUGIN:SERVICE", service));
      return kUsage;
    }
    options.services[service.substr(0, equals)] = service.substr(equals + 1);
  }
  const auto text = triggerd::read_file(chosen.file, kMaxFile);
  if (!text) return fail_with(text.error().message);
  const auto imported = triggerd::webmethods::import(*text, options);
  if (!imported) {
    print_remarks(imported.error(), chosen.file, "error");
    return kFailed;
  }
  if (!chosen.output.empty()) {
    if (auto written = write_import(chosen.output, *imported); !written) {
      return fail_with(written.error());
    }
  }
  if (json_wanted()) {
    print_as_json(*imported);
    return kDone;
  }
  print_remarks(imported->differences, chosen.file, "note");
  const auto plural = [](std::size_t count, const char* many) { return count == 1 ? "" : many; };
  fmt::print(stderr, "{} alias{}, {} trigger{}, {} package{}, {} difference{}\n", imported->aliases,
             plural(imported->aliases, "es"), imported->triggers, plural(imported->triggers, "s"),
             imported->packages.size(), plural(imported->packages.size(), "s"),
             imported->differences.size(), plural(imported->differences.size(), "s"));
  if (chosen.output.empty()) fmt::print("{}", imported->toml);
  return kDone;
}

}  // namespace

void add_import_verbs(CommandLine& line) {
  const auto options = std::make_shared<ImportOptions>();
  Command verb = line.verb(line.root(), "import-webmethods",
                           "convert Integration Server's aliases and triggers to a triggers.toml",
                           [options] { return import(*options); });
  verb.option("FILE", options->file,
              "their definitions as JSON: see docs/guides/import-webmethods.md")
      .required();
  verb.option("-o,--output", options->output,
              "write the configuration to this file, and its packages beside it; default: "
              "everything in one, to standard output");
  verb.option("--service", options->services,
              "FOLDER:NAME=PLUGIN:SERVICE, the replacement for a service; may be given many times")
      .one_value();
  verb.flag("--exact", options->exact, "keep Integration Server's defaults as well");
}

}  // namespace triggerctl
