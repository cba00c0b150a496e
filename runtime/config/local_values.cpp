#include "config/local_values.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "config/proxy_address.hpp"
#include "config/server_address.hpp"
#include "config/table_reader.hpp"

namespace triggerd::config {
namespace {

Node* find_key(Node& table, std::string_view key) {
  auto* members = std::get_if<Node::Table>(&table.value);
  if (members == nullptr) return nullptr;
  const auto found = std::find_if(members->begin(), members->end(),
                                  [key](const Member& member) { return member.key == key; });
  return found == members->end() ? nullptr : &found->value;
}

void drop_key(Node::Table& table, std::string_view key) {
  table.erase(std::remove_if(table.begin(), table.end(),
                             [key](const Member& member) { return member.key == key; }),
              table.end());
}

LocalAlias read_alias_values(const SourceFile& file, const Member& member) {
  LocalAlias alias{member.key_spot, {}};
  TableReader reader(file, member.value, fmt::format("[aliases.{}]", printable(member.key)));
  for (const std::string_view key : kLocalKeys) {
    const auto text = reader.text(key);
    if (!text) continue;
    if (key == "host") {
      if (const auto server = parse_server(text->value); !server) {
        file.error(text->spot, "host: {}", server.error().message);
      }
    }
    if (key == "proxy" && !text->value.empty()) {
      if (const auto proxy = parse_proxy(text->value); !proxy) {
        file.error(text->spot, "proxy: {}", proxy.error().message);
      }
    }
    alias.values.emplace(key, *reader.get(key)->as<std::string>());
  }
  if (reader.get("password") != nullptr && reader.get("password_file") != nullptr) {
    file.error(reader.spot_of("password_file"),
               "password and password_file are mutually exclusive; write one of them");
  }
  reader.report_unknown_keys();
  return alias;
}

}  // namespace

std::string_view excluded_by(std::string_view key) {
  if (key == "host") return "hosts";
  if (key == "password") return "password_file";
  if (key == "password_file") return "password";
  if (key == "proxy") return "proxy_password_file";  // the file belongs to the previous proxy
  return {};
}

LocalValues read_local_values(const SourceFile& file, const Node& root) {
  LocalValues local;
  TableReader reader(file, root, "this file");
  if (const auto aliases = reader.table("aliases")) {
    for (const Member& member : *reader.get("aliases")->as<Node::Table>()) {
      if (member.value.as<Node::Table>() == nullptr) {
        file.error(member.key_spot,
                   "\"{}\" in [aliases] must be a table, not {}; write [aliases.NAME]",
                   printable(member.key), type_name(member.value));
      } else {
        local.emplace(member.key, read_alias_values(file, member));
      }
    }
  }
  reader.report_unknown_keys();
  return local;
}

void apply_local_values(const SourceFile& file, const LocalValues& local, Node& root) {
  Node* aliases = find_key(root, "aliases");
  for (const auto& [name, alias] : local) {
    Node* node = aliases == nullptr ? nullptr : find_key(*aliases, name);
    auto* table = node == nullptr ? nullptr : std::get_if<Node::Table>(&node->value);
    if (table == nullptr) {
      file.error(alias.spot,
                 "the package has no alias \"{}\"; values can be given for the aliases "
                 "that its triggers.toml defines",
                 printable(name));
      continue;
    }
    for (const auto& [key, value] : alias.values) {
      const Node* before = find_key(*node, key);
      const Node* other = find_key(*node, excluded_by(key));
      const Spot spot = before != nullptr  ? before->spot
                        : other != nullptr ? other->spot
                                           : node->spot;
      drop_key(*table, key);
      drop_key(*table, excluded_by(key));
      table->push_back({key, spot, Node{spot, value}});
    }
  }
}

}  // namespace triggerd::config
