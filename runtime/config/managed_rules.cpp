#include "config/managed_rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <system_error>

#include "base/text.hpp"
#include "config/secrets.hpp"
#include "config/write_tree.hpp"

namespace triggerd::config {
namespace {

namespace fs = std::filesystem;

bool has_variable(std::string_view text) {
  for (std::size_t at = text.find("${"); at != std::string_view::npos;
       at = text.find("${", at + 2)) {
    if (at == 0 || text[at - 1] != '$') return true;
  }
  return false;
}

// The last key of a path, list indices left out: "ca_file" of "settings.ca_file.0".
std::string_view last_key(std::string_view path) {
  for (;;) {
    const std::string_view part = path.substr(path.rfind('.') + 1);  // the whole without a dot
    const bool is_number =
        std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!is_number || part.size() == path.size()) return part;
    path.remove_suffix(part.size() + 1);
  }
}

// Decided by the name, as the bundled services have them: "password_file", "ca_file", "file".
bool names_file(Defined kind, std::string_view path) {
  const std::string name = lower_case(last_key(path));
  if (kind == Defined::alias) return path == "password_file" || path == "proxy_password_file";
  if (path == "schema") return true;
  if (!path.starts_with("settings.")) return false;
  for (const std::string_view word : {"file", "dir", "folder", "directory", "socket"}) {
    if (name == word || name.ends_with(fmt::format("_{}", word))) return true;
  }
  return false;
}

// Whether the query of a URL has a parameter whose name is percent-encoded: "%70assfile".
bool has_encoded_name(std::string_view text) {
  const std::size_t scheme = text.find("://");
  std::size_t at = scheme == std::string_view::npos ? scheme : text.find('?', scheme);
  while (at != std::string_view::npos) {
    const std::size_t end = std::min(text.find('&', at + 1), text.size());
    const std::string_view name = text.substr(at + 1, end - at - 1);
    if (name.substr(0, name.find('=')).find('%') != std::string_view::npos) return true;
    at = end == text.size() ? std::string_view::npos : end;
  }
  return false;
}

// Files that a PostgreSQL connection string names: "sslkey=FILE", in a query too. libpq parses
// these strings, and its quotes, escapes and encodings are not interpreted here: a string that uses
// them for a file, or for the name of such a setting, yields a path that no folder allows.
std::vector<std::string> files_in_connection(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n\v\f";
  constexpr std::string_view kAround = " \t\r\n\v\f'\"";
  constexpr std::string_view kBehind = " \t\r\n\v\f'\"&";
  std::vector<std::string> files;
  if (has_encoded_name(text)) files.emplace_back("%");
  for (const std::string_view word : {"passfile", "sslkey", "sslcert", "sslrootcert", "sslcrl",
                                      "sslcrldir", "sslkeylogfile", "servicefile"}) {
    for (std::size_t at = text.find(word); at != std::string_view::npos;
         at = text.find(word, at + word.size())) {
      std::size_t begin = text.find_first_not_of(kBlanks, at + word.size());
      if (begin == std::string_view::npos || text[begin] != '=') continue;
      begin = std::min(text.find_first_not_of(kAround, begin + 1), text.size());
      const std::size_t end = std::min(text.find_first_of(kBehind, begin), text.size());
      const std::string_view file = text.substr(begin, end - begin);
      if (file != "system") files.emplace_back(file);  // what the operating system trusts
    }
  }
  return files;
}

// Whether `file`, which need not exist, is below `folder` with all symbolic links followed.
bool is_below(const fs::path& file, const fs::path& folder) {
  std::error_code error;
  const fs::path top = fs::canonical(folder, error);
  if (error) return false;
  const fs::path whole = fs::weakly_canonical(file, error);
  if (error) return false;
  const auto [end, rest] = std::mismatch(top.begin(), top.end(), whole.begin(), whole.end());
  return end == top.end() && rest != whole.end();
}

template <class Visit>
void for_each_leaf(const Node& node, const std::string& path, const Visit& visit) {
  if (const auto* table = node.as<Node::Table>()) {
    for (const Member& member : *table) {
      for_each_leaf(member.value, path.empty() ? member.key : path + "." + member.key, visit);
    }
  } else if (const auto* array = node.as<Node::Array>()) {
    for (std::size_t i = 0; i < array->size(); ++i) {
      for_each_leaf((*array)[i], fmt::format("{}.{}", path, i), visit);
    }
  } else {
    visit(path, node);
  }
}

// ---- Where secrets go ----

// Settings that decide where a service connects, which peer it trusts there, and by which route.
// The runtime does not know what a setting means, so whatever may be one of these counts as one.
bool names_destination(std::string_view path) {
  static constexpr std::array<std::string_view, 23> kParts = {
      "url",    "uri",    "host",   "server",     "address",  "endpoint", "port",     "proxy",
      "socket", "broker", "domain", "connection", "database", "dsn",      "redirect", "file",
      "ca_",    "cert",   "tls",    "ssl",        "verify",   "alias",    "sasl"};
  const std::string name = lower_case(path);
  return std::any_of(kParts.begin(), kParts.end(), [&name](std::string_view part) {
    return name.find(part) != std::string::npos;
  });
}

// "http://user:password@host:8080" without the login.
std::string without_login(std::string_view address) {
  const std::size_t at = address.rfind('@');
  if (at == std::string_view::npos) return std::string(address);
  const std::string_view scheme = address.substr(0, std::min(address.find("://"), at));
  return fmt::format("{}://{}", scheme, address.substr(at + 1));
}

using Destinations = std::map<std::string, std::string>;

Destinations destinations_of(Defined kind, const Node& definition) {
  Destinations all;
  // A proxy could impersonate the server.
  if (kind == Defined::alias) all["proxy"] = "";
  for_each_leaf(definition, "", [&](const std::string& path, const Node& leaf) {
    const auto* text = leaf.as<std::string>();
    if (kind == Defined::alias) {
      // Each server counts by itself: removing one sends nothing elsewhere.
      if (text != nullptr && (path == "host" || path.starts_with("hosts."))) all[*text] = "server";
      if (text != nullptr && path == "truststore") all["truststore"] = *text;
      if (text != nullptr && path == "proxy") all["proxy"] = without_login(*text);
      return;
    }
    const bool is_setting = path.starts_with("settings.");
    const bool is_one = path == "service" || path == "monitor" ||
                        (is_setting && names_destination(path.substr(9))) ||
                        (is_setting && text != nullptr && text->find("://") != std::string::npos);
    if (!is_one) return;
    all[path] = text != nullptr ? *text : to_json(Node{{}, Node::Table{{"value", {}, leaf}}});
  });
  return all;
}

// Whether the secret kept at `key` would reach somebody whom it did not reach before.
bool goes_elsewhere(Defined kind, std::string_view key, const Node& before, const Node& after) {
  const Destinations were = destinations_of(kind, before);
  const Destinations are = destinations_of(kind, after);
  if (kind == Defined::trigger) return were != are;
  // A proxy's own credentials go to no server, and its address is kept as a whole.
  if (key == "proxy") return false;
  if (key == "proxy_password_file") return were.at("proxy") != are.at("proxy");
  return std::any_of(are.begin(), are.end(), [&were](const auto& one) {
    const auto found = were.find(one.first);
    return found == were.end() || found->second != one.second;
  });
}

std::string_view goes_nowhere_else(Defined kind) {
  constexpr std::string_view kAlias =
      "is sent only to the servers that it was stored for, and the definition now names other "
      "servers or another proxy; write it again, or \"\" for none";
  constexpr std::string_view kTrigger =
      "is kept only for the destination that the service had when it was stored, and that has "
      "changed; write it again, or \"\" for none";
  return kind == Defined::alias ? kAlias : kTrigger;
}

// The folder that relative paths in a definition start from.
fs::path base_of(Defined kind, const DefinitionRules& rules) {
  if (kind == Defined::alias) return rules.state_dir;
  std::error_code error;
  return fs::current_path(error);
}

// Whether the value at `path` names a file that it must not name.
bool names_forbidden_file(Defined kind, std::string_view path, const std::string& text,
                          const DefinitionRules& rules) {
  if (rules.any_file || text.empty()) return false;
  const auto forbidden = [&](const std::string& file) {
    // Whoever opens the file would decode a "%2F" or "\.".
    return rules.files_below.empty() || file.find_first_of("%\\") != std::string::npos ||
           !is_below(base_of(kind, rules) / file, rules.files_below);
  };
  if (names_file(kind, path)) return forbidden(text);
  if (kind == Defined::alias || !path.starts_with("settings.")) return false;
  const auto files = files_in_connection(text);
  return std::any_of(files.begin(), files.end(), forbidden);
}

// ---- Programs ----

// Whether the trigger runs what its settings say, with the service exec.
bool runs_programs(Defined kind, const Node* definition) {
  if (kind == Defined::alias || definition == nullptr) return false;
  for (const char* key : {"service", "monitor"}) {
    const Node* found = at_path(*definition, key);
    const auto* name = found == nullptr ? nullptr : found->as<std::string>();
    if (name != nullptr && (*name == "exec" || name->starts_with("exec:"))) return true;
  }
  return false;
}

// Tables with the same members are the same, whatever their order.
void sort_tables(Node& node) {
  if (auto* array = std::get_if<Node::Array>(&node.value)) {
    for (Node& element : *array) sort_tables(element);
  }
  auto* table = std::get_if<Node::Table>(&node.value);
  if (table == nullptr) return;
  for (Member& member : *table) sort_tables(member.value);
  std::sort(table->begin(), table->end(),
            [](const Member& a, const Member& b) { return a.key < b.key; });
}

std::string json_at(const Node* definition, std::string_view path) {
  const Node* found = definition == nullptr ? nullptr : at_path(*definition, path);
  if (found == nullptr) return "";
  Node whole{{}, Node::Table{{"value", {}, *found}}};
  sort_tables(whole);
  return to_json(whole);
}

constexpr const char* kNoProgram =
    "a definition that comes over TCP must not say which program runs; send it over the Unix "
    "socket, as triggerctl does on the runtime's machine, or write it in the runtime's own "
    "triggers.toml";

// Settings that decide which program runs, and what it does by itself. Each is compared as a whole:
// an argument less makes another program of it, too.
void refuse_programs(const Node* before, const Node& next, std::vector<AgainstRules>& found) {
  if (!runs_programs(Defined::trigger, &next)) return;
  const Node* same_kind = runs_programs(Defined::trigger, before) ? before : nullptr;
  for (const char* key :
       {"command", "environment", "inherit_environment", "working_dir", "watch"}) {
    std::string path = fmt::format("settings.{}", key);
    if (json_at(&next, path) == json_at(same_kind, path)) continue;
    found.push_back({std::move(path), kNoProgram});
  }
}

// The same of the program that prints an alias's password. One that stays prints a secret that is
// kept.
void refuse_password_command(const Node* before, const Node& next, std::set<std::string>& kept,
                             std::vector<AgainstRules>& found) {
  constexpr const char* kKey = "password_command";
  const std::string command = json_at(&next, kKey);
  if (command.empty()) return;
  if (command != json_at(before, kKey)) {
    found.push_back({kKey, kNoProgram});
    return;
  }
  kept.insert(kKey);
  // What stands for a placeholder is an argument, too.
  for (const char* key : {"user_name", "client_id"}) {
    const bool is_argument = command.find(fmt::format("{{{}}}", key)) != std::string::npos;
    if (!is_argument || json_at(&next, key) == json_at(before, key)) continue;
    found.push_back({key, fmt::format("is an argument of password_command, and {}", kNoProgram)});
  }
}

}  // namespace

std::vector<AgainstRules> take_definition(Defined kind, const Node* before, Node& next,
                                          const DefinitionRules& rules) {
  std::vector<AgainstRules> found;
  Kept secrets = keep_secrets(before == nullptr ? Node{{}, Node::Table{}} : *before, next);
  std::set<std::string> kept(secrets.keys.begin(), secrets.keys.end());
  for (std::string& key : secrets.unknown) {
    found.push_back(
        {std::move(key),
         "*** stands for a hidden secret, and none is stored for this key; write the whole value"});
  }
  if (!rules.any_file) {
    if (kind == Defined::trigger) refuse_programs(before, next, found);
    if (kind == Defined::alias) refuse_password_command(before, next, kept, found);
  }
  for_each_leaf(next, "", [&](const std::string& path, const Node& leaf) {
    const auto* text = leaf.as<std::string>();
    if (text == nullptr) return;
    const bool variable = has_variable(*text);
    const bool file = names_forbidden_file(kind, path, *text, rules);
    if (!variable && !file) return;
    const Node* was = before == nullptr ? nullptr : at_path(*before, path);
    const auto* old = was == nullptr ? nullptr : was->as<std::string>();
    if (old != nullptr && *old == *text) {
      kept.insert(path);
    } else if (variable) {
      found.push_back(
          {path,
           "${NAME} is not expanded in definitions that come over the API; write the value, or $${ "
           "for a plain \"${\", or define it in the runtime's own triggers.toml"});
    } else if (rules.files_below.empty()) {
      found.push_back(
          {path,
           "a definition that comes over the API must not name a file; write manage_files = "
           "\"FOLDER\" in [admin] of the runtime's triggers.toml to allow files below a folder"});
    } else {
      found.push_back({path, fmt::format("must name a file below {}, which is [admin] manage_files",
                                         rules.files_below.string())});
    }
  });
  for (const std::string& key : kept) {
    if (!goes_elsewhere(kind, key, *before, next)) continue;
    found.push_back({key, std::string(goes_nowhere_else(kind))});
  }
  return found;
}

}  // namespace triggerd::config
