#include "live/definition.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include "base/file.hpp"
#include "base/text.hpp"
#include "config/load.hpp"
#include "config/parse_toml.hpp"
#include "live/editor.hpp"
#include "live/report_view.hpp"

namespace triggerctl {
namespace {

using triggerd::Error;
namespace config = triggerd::config;

constexpr std::size_t kLargestFile = 1 << 20;
// Keys that are text, whatever the value looks like; and lists, of which --set may give one
// element.
constexpr std::array<std::string_view, 11> kTexts{"name",
                                                  "description",
                                                  "client_id",
                                                  "user_name",
                                                  "password",
                                                  "last_will.payload",
                                                  "host",
                                                  "last_will.topic",
                                                  "last_will.on_connect_payload",
                                                  "protocol",
                                                  "proxy"};
constexpr std::array<std::string_view, 3> kLists{"topics", "hosts", "alpn"};

template <class... Args>
tl::unexpected<Error> usage(fmt::format_string<Args...> format, Args&&... args) {
  return tl::make_unexpected(Error{fmt::format(format, std::forward<Args>(args)...), kUsage});
}

Json json_of(const config::Node& node) {
  if (const auto* table = node.as<config::Node::Table>()) {
    Json object = Json::object();
    for (const config::Member& member : *table) object[member.key] = json_of(member.value);
    return object;
  }
  if (const auto* array = node.as<config::Node::Array>()) {
    Json list = Json::array();
    for (const config::Node& element : *array) list.push_back(json_of(element));
    return list;
  }
  if (const auto* date = node.as<config::Date>()) return date->text;
  if (const auto* text = node.as<std::string>()) return *text;
  if (const auto* integer = node.as<std::int64_t>()) return *integer;
  if (const auto* floating = node.as<double>()) return *floating;
  return *node.as<bool>();
}

// Steps into the tables on the way; `key` becomes the last key.
Result<Json*> table_at(std::string& key, const std::string& option, Json& definition) {
  Json* at = &definition;
  for (std::size_t dot = 0; (dot = key.find('.')) != std::string::npos; key.erase(0, dot + 1)) {
    at = &(*at)[key.substr(0, dot)];
    if (!at->is_null() && !at->is_object()) {
      return usage("{}: \"{}\" is not a table", option, key.substr(0, dot));
    }
  }
  return at;
}

Json value_of(const std::string& key, const std::string& text) {
  if (std::find(kTexts.begin(), kTexts.end(), key) != kTexts.end()) return text;
  Json value = Json::parse(text, nullptr, false);
  return value.is_discarded() || value.is_null() ? Json(text) : value;
}

Result<std::string> content_of(const std::string& file) {
  if (file == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  auto text = triggerd::read_file(file, kLargestFile);
  if (!text) return usage("--file: {}", text.error().message);
  return text;
}

bool has_editor() {
  const auto set = config::process_environment();
  return set("VISUAL") || set("EDITOR") ||
         (::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1);
}

std::string check_query(bool check) {
  return check ? "?check=true" : "";
}

std::string first_lines(Kind kind, const std::string& name, const Json& shown) {
  std::string text = fmt::format(
      "# The {} \"{}\". Its keys are explained in triggers.toml(5).\n"
      "# Save and leave the editor to apply it; save it empty to change nothing.\n",
      word(kind), name);
  std::string secrets;
  for (const Json& secret : list_of(shown, "secrets")) {
    secrets += (secrets.empty() ? "" : ", ") + secret.get<std::string>();
  }
  if (!secrets.empty()) {
    text += fmt::format("# Hidden, and kept unless you write it here: {}\n", secrets);
  }
  return text + '\n';
}

std::string draft(Kind kind) {
  if (kind == Kind::alias) {
    return "host = \"tcp://localhost:1883\"\n"
           "# client_id = \"\"\n# keep_alive = \"60s\"\n"
           "# user_name = \"\"\n# password_file = \"\"\n"
           "# last_will = { topic = \"\", payload = \"lost\", on_connect_payload = \"up\" }\n";
  }
  return "alias = \"\"\ntopics = [\"\"]\nservice = \"\"\n"
         "# order = \"topic\"\n# concurrency = 1\n# acknowledge = \"durable\"\n"
         "# retry = { max_attempts = 8, interval = \"1s\" }\n\n# [settings]\n";
}

// Opens the user's editor until the text is valid or the user gives up. `apply` sends it to
// triggerd.
Result<int> in_editor(Kind kind, const std::string& name, const std::string& text,
                      const std::function<Result<Json>(const Json&)>& apply) {
  auto editing = EditedFile::make(text);
  if (!editing) return tl::make_unexpected(editing.error());
  std::string before = text;
  for (;;) {
    auto after = editing->edit();
    if (!after) return tl::make_unexpected(after.error());
    const bool empty = after->find_first_not_of(" \t\r\n") == std::string::npos;
    if (empty || *after == before) {
      if (before != text && !empty) {
        editing->keep();
        return usage("it is not valid, so nothing has changed; your text is in {}",
                     editing->path());
      }
      fmt::print("nothing has changed\n");
      return kDone;
    }
    auto definition = definition_from_toml(kind, name, *after, editing->path());
    auto report = definition ? apply(*definition) : tl::make_unexpected(definition.error());
    if (report) return print_report(*report);
    if (report.error().code != kUsage) {
      editing->keep();
      return tl::make_unexpected(
          Error{fmt::format("{}\n  your text is in {}", report.error().message, editing->path()),
                report.error().code});
    }
    before = with_error(*after, report.error().message);
    if (auto written = editing->write(before); !written) {
      return tl::make_unexpected(written.error());
    }
  }
}

}  // namespace

std::string_view word(Kind kind) {
  return kind == Kind::alias ? "alias" : "trigger";
}
std::string path_of(Kind kind) {
  return kind == Kind::alias ? "/aliases" : "/triggers";
}
std::string path_of(Kind kind, const std::string& name) {
  return path_of(kind) + "/" + triggerd::percent_encoded(name);
}

void add_definition_options(Command verb, DefinitionOptions& options, bool may_unset) {
  verb.option("NAME", options.name, "its name").required();
  const Option set =
      verb.option("--set", options.set,
                  "KEY=VALUE, one of the keys of triggers.toml, such as retry.interval=5s; may "
                  "be given many times")
          .one_value();
  if (may_unset) {
    verb.option("--unset", options.unset, "KEY to reset to its default; may be given many times")
        .one_value();
  }
  verb.option("--file", options.file,
              "a file with the whole definition, as in triggers.toml; - is standard input. Without "
              "this and --set, $VISUAL or $EDITOR is opened")
      .excludes(set);
  verb.flag("--check", options.check, "only check whether it could be done");
}

Result<Json> definition_from_toml(Kind kind, const std::string& name, std::string_view toml,
                                  const std::string& file) {
  const auto root = config::parse_toml(toml);
  if (!root) {
    return usage("{}:{}:{}: {}", file, root.error().spot.line, root.error().spot.column,
                 root.error().message);
  }
  Json json = json_of(*root);
  const char* const section = kind == Kind::alias ? "aliases" : "triggers";
  if (json.contains(section)) {
    if (json.size() > 1) {
      return usage("{}: there is more in it than {}; leave only the one that you mean", file,
                   section);
    }
    Json found = nullptr;
    const Json all = json[section];
    for (const auto& [key, value] : all.items()) {
      const std::string called = kind == Kind::alias ? key
                                 : value.is_object() ? text_of(value, "name")
                                                     : "";
      if (called == name) found = value;
    }
    if (found.is_null()) return usage("{}: there is no {} \"{}\"", file, word(kind), name);
    json = std::move(found);
  }
  if (!json.is_object()) return usage("{}: {} is not a table", file, section);
  const std::string called = text_of(json, "name", name);
  if (called != name) {
    return usage(
        "{}: name is \"{}\" there and \"{}\" on the command line; a name cannot be changed, so "
        "create another {} instead",
        file, called, name, word(kind));
  }
  json["name"] = name;
  return json;
}

Result<> assign_all(const std::vector<std::string>& set, Json& definition) {
  std::set<std::string> begun;
  for (const std::string& assignment : set) {
    const std::size_t equals = assignment.find('=');
    if (equals == std::string::npos || equals == 0) {
      return usage("--set {}: write KEY=VALUE", assignment);
    }
    const std::string whole = assignment.substr(0, equals);
    Json value = value_of(whole, assignment.substr(equals + 1));
    std::string key = whole;
    auto table = table_at(key, "--set " + whole, definition);
    if (!table) return tl::make_unexpected(table.error());
    if (std::find(kLists.begin(), kLists.end(), whole) != kLists.end() && !value.is_array()) {
      Json list = begun.contains(whole) ? (**table)[key] : Json::array();
      list.push_back(std::move(value));
      value = std::move(list);
    }
    begun.insert(whole);
    // A server is named by one of the two.
    if (whole == "host") definition.erase("hosts");
    if (whole == "hosts") definition.erase("host");
    (**table)[key] = std::move(value);
  }
  return {};
}

Result<> remove_all(const std::vector<std::string>& unset, Json& definition) {
  for (const std::string& whole : unset) {
    std::string key = whole;
    auto table = table_at(key, "--unset " + whole, definition);
    if (!table) return tl::make_unexpected(table.error());
    if (!(*table)->is_object() || (*table)->erase(key) == 0) {
      return usage("--unset {}: it is not set", whole);
    }
  }
  return {};
}

Result<int> create(const Api& api, Kind kind, const DefinitionOptions& options) {
  const auto post = [&](const Json& definition) {
    return api.post(path_of(kind) + check_query(options.check), definition);
  };
  Result<Json> definition = Json::object();
  if (!options.file.empty()) {
    const auto text = content_of(options.file);
    if (!text) return tl::make_unexpected(text.error());
    definition = definition_from_toml(kind, options.name, *text, options.file);
  } else if (options.set.empty()) {
    if (!has_editor()) {
      return usage(
          "define the {} with --set KEY=VALUE or --file FILE, or set EDITOR to write it in an "
          "editor",
          word(kind));
    }
    return in_editor(kind, options.name,
                     first_lines(kind, options.name, Json::object()) + draft(kind), post);
  }
  if (!definition) return tl::make_unexpected(definition.error());
  (*definition)["name"] = options.name;
  if (auto done = assign_all(options.set, *definition); !done) {
    return tl::make_unexpected(done.error());
  }
  const auto report = post(*definition);
  if (!report) return tl::make_unexpected(report.error());
  return print_report(*report);
}

Result<int> edit(const Api& api, Kind kind, const DefinitionOptions& options) {
  const auto put = [&](const Json& definition) {
    return api.put(path_of(kind, options.name) + check_query(options.check), definition);
  };
  Result<Json> definition = Json::object();
  if (!options.file.empty()) {
    const auto text = content_of(options.file);
    if (!text) return tl::make_unexpected(text.error());
    definition = definition_from_toml(kind, options.name, *text, options.file);
    if (!definition) return tl::make_unexpected(definition.error());
  } else {
    const auto shown = api.get(path_of(kind, options.name));
    if (!shown) return tl::make_unexpected(shown.error());
    if (options.set.empty() && options.unset.empty()) {
      if (!has_editor()) {
        return usage(
            "say what to change with --set KEY=VALUE, --unset KEY or --file FILE, or set EDITOR to "
            "edit the {} in an editor",
            word(kind));
      }
      return in_editor(kind, options.name,
                       first_lines(kind, options.name, *shown) + text_of(*shown, "toml"), put);
    }
    if (const auto at = shown->find("definition"); at != shown->end()) definition = *at;
  }
  (*definition)["name"] = options.name;
  if (auto done = remove_all(options.unset, *definition); !done) {
    return tl::make_unexpected(done.error());
  }
  if (auto done = assign_all(options.set, *definition); !done) {
    return tl::make_unexpected(done.error());
  }
  const auto report = put(*definition);
  if (!report) return tl::make_unexpected(report.error());
  return print_report(*report);
}

}  // namespace triggerctl
