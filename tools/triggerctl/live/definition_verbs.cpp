#include "live/definition_verbs.hpp"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "live/report_view.hpp"
#include "live/status_view.hpp"

namespace triggerctl {
namespace {

void print_definition(const Json& shown) {
  fmt::print("\ndefined in {}\n", origin_text(shown));
  if (const std::string toml = text_of(shown, "toml"); !toml.empty()) {
    fmt::print("\n{}", safe_lines(toml));
    if (!toml.ends_with('\n')) fmt::print("\n");
  }
  for (const Json& secret : list_of(shown, "secrets")) {
    fmt::print("# {} is hidden\n", safe(secret.get<std::string>()));
  }
}

Result<int> remove(const Api& api, Kind kind, const std::string& name) {
  const auto report = api.remove(path_of(kind, name));
  if (!report) return tl::make_unexpected(report.error());
  return print_report(*report);
}

}  // namespace

void add_list_and_show(CommandLine& line, Command group, Kind kind,
                       std::function<std::string(const Json&)> text,
                       std::function<void(const Json&)> print) {
  const std::string many = kind == Kind::alias ? "aliases" : "triggers";
  line.live_verb(group, "list", "list all " + many + " with their states",
                 [kind, many, text = std::move(text)](const Api& api) -> Result<int> {
                   const auto all = api.get(path_of(kind));
                   if (!all) return tl::make_unexpected(all.error());
                   if (json_wanted()) {
                     print_json(*all);
                   } else if (list_of(*all, "items").empty()) {
                     fmt::print("there are no {}; \"triggerctl {} create NAME\" creates one\n",
                                many, word(kind));
                   } else {
                     fmt::print("{}", text(list_of(*all, "items")));
                   }
                   return kDone;
                 });
  const auto name = std::make_shared<std::string>();
  Command show =
      line.live_verb(group, "show", fmt::format("show one {}, with its definition", word(kind)),
                     [kind, name, print = std::move(print)](const Api& api) -> Result<int> {
                       const auto shown = api.get(path_of(kind, *name));
                       if (!shown) return tl::make_unexpected(shown.error());
                       if (json_wanted()) {
                         print_json(*shown);
                       } else {
                         print(*shown);
                         print_definition(*shown);
                       }
                       return kDone;
                     });
  show.option("NAME", *name, fmt::format("the {}", word(kind))).required();
}

void add_changes(CommandLine& line, Command group, Kind kind) {
  const auto created = std::make_shared<DefinitionOptions>();
  add_definition_options(
      line.live_verb(
          group, "create",
          fmt::format("create a {} in the managed file ([admin] manage = true)", word(kind)),
          [kind, created](const Api& api) { return create(api, kind, *created); }),
      *created, false);
  const auto edited = std::make_shared<DefinitionOptions>();
  add_definition_options(
      line.live_verb(group, "edit", fmt::format("change a {} in the managed file", word(kind)),
                     [kind, edited](const Api& api) { return edit(api, kind, *edited); }),
      *edited, true);
  const auto name = std::make_shared<std::string>();
  Command gone =
      line.live_verb(group, "delete", fmt::format("delete a {} from the managed file", word(kind)),
                     [kind, name](const Api& api) { return remove(api, kind, *name); });
  gone.option("NAME", *name, fmt::format("the {}", word(kind))).required();
}

void add_switch(CommandLine& line, Command group, Kind kind, const std::string& verb,
                const std::string& description, const std::string& done) {
  struct Options {
    std::string name;
    std::string reason;
  };
  const auto options = std::make_shared<Options>();
  Command made = line.live_verb(
      group, verb, description, [kind, verb, done, options](const Api& api) -> Result<int> {
        Json body = nullptr;
        if (!options->reason.empty()) body = {{"reason", options->reason}};
        const auto now = api.post(path_of(kind, options->name) + "/" + verb, body);
        if (!now) return tl::make_unexpected(now.error());
        if (json_wanted()) {
          print_json(*now);
        } else {
          fmt::print("{} \"{}\" was {}; its state: {}\n", word(kind), safe(options->name), done,
                     safe(text_of(*now, "state", "?")));
        }
        return kDone;
      });
  made.option("NAME", options->name, fmt::format("the {}", word(kind))).required();
  if (verb == "disable" || verb == "suspend") {
    made.option("--reason", options->reason, "the reason, for whoever looks at it later");
  }
}

}  // namespace triggerctl
