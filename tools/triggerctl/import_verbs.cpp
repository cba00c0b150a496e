#include "import_verbs.hpp"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "output.hpp"
#include "private_file.hpp"
#include "webmethods/webmethods.hpp"

namespace triggerctl {
namespace {

using triggerd::webmethods::Imported;
using triggerd::webmethods::Remark;

constexpr std::size_t kMaxFile = 17U << 20;  // the importer says that it is too large

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

void print_as_json(const Imported& imported) {
  Json differences = Json::array();
  for (const Remark& remark : imported.differences) {
    differences.push_back(Json{{"line", remark.line}, {"text", remark.text}});
  }
  print_json(Json{{"aliases", imported.aliases},
                  {"triggers", imported.triggers},
                  {"differences", std::move(differences)},
                  {"toml", imported.toml}});
}

int import(const ImportOptions& chosen) {
  triggerd::webmethods::Options options{.file = chosen.file, .exact = chosen.exact};
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
    // A file that is there may be somebody's configuration.
    if (auto made = write_private_file(chosen.output, imported->toml); !made) {
      return fail_with(made.error());
    }
  }
  if (json_wanted()) {
    print_as_json(*imported);
    return kDone;
  }
  print_remarks(imported->differences, chosen.file, "note");
  const auto plural = [](std::size_t count, const char* many) { return count == 1 ? "" : many; };
  fmt::print(stderr, "{} alias{}, {} trigger{}, {} difference{}\n", imported->aliases,
             plural(imported->aliases, "es"), imported->triggers, plural(imported->triggers, "s"),
             imported->differences.size(), plural(imported->differences.size(), "s"));
  if (chosen.output.empty()) fmt::print("{}", imported->toml);
  return kDone;
}

}  // namespace

void add_import_verbs(CommandLine& line) {
  const auto options = std::make_shared<ImportOptions>();
  Command verb = line.verb(line.root(), "import-webmethods",
                           "make a triggers.toml of Integration Server's aliases and triggers",
                           [options] { return import(*options); });
  verb.option("FILE", options->file, "what they are, as JSON: docs/import-webmethods.md")
      .required();
  verb.option("-o,--output", options->output,
              "where the configuration goes; default: standard output");
  verb.option("--service", options->services,
              "FOLDER:NAME=PLUGIN:SERVICE, what takes the place of a service; may be given many "
              "times")
      .one_value();
  verb.flag("--exact", options->exact, "keep Integration Server's defaults, too");
}

}  // namespace triggerctl
