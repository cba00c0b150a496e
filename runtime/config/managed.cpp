#include "config/managed.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/file.hpp"
#include "config/parse_toml.hpp"
#include "config/write_tree.hpp"

namespace triggerd::config {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHeader =
    "# Aliases and triggers that were defined at run time. The runtime rewrites this file with\n"
    "# every change; comments are not kept.\n\n";

Node* member_of(Node::Table& table, std::string_view key) {
  for (Member& member : table) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

const Node* member_of(const Node::Table& table, std::string_view key) {
  for (const Member& member : table) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

void erase_member(Node::Table& table, std::string_view key) {
  std::erase_if(table, [key](const Member& member) { return member.key == key; });
}

bool is_named(const Node& trigger, std::string_view name) {
  const auto* table = trigger.as<Node::Table>();
  const Node* said = table == nullptr ? nullptr : member_of(*table, "name");
  const auto* text = said == nullptr ? nullptr : said->as<std::string>();
  return text != nullptr && *text == name;
}

bool same_spot(Spot a, Spot b) {
  return a.line == b.line && a.column == b.column;
}

std::string find_spot(const Node& node, Spot place, const std::string& path) {
  const auto* table = node.as<Node::Table>();
  if (const auto* array = node.as<Node::Array>()) {
    for (std::size_t i = 0; i < array->size(); ++i) {
      std::string at = fmt::format("{}.{}", path, i);
      if (auto inside = find_spot((*array)[i], place, at); !inside.empty()) return inside;
      if (same_spot((*array)[i].spot, place)) return at;
    }
  }
  if (table == nullptr) return {};
  for (const Member& member : *table) {
    std::string at = path.empty() ? member.key : path + "." + member.key;
    if (auto inside = find_spot(member.value, place, at); !inside.empty()) return inside;
    if (same_spot(member.key_spot, place) || same_spot(member.value.spot, place)) return at;
  }
  return {};
}

}  // namespace

// ---- The file ----

Result<ManagedFile> ManagedFile::read(fs::path file) {
  ManagedFile managed;
  managed.file_ = std::move(file);
  managed.root_.value = Node::Table{};
  std::error_code error;
  if (!fs::exists(fs::symlink_status(managed.file_, error))) return managed;
  const auto text = read_file(managed.file_, kMaxTomlFile);
  if (!text) return tl::make_unexpected(text.error());
  auto root = parse_toml(*text);
  if (!root) {
    return fail("{}:{}:{}: {}", managed.file_.string(), root.error().spot.line,
                root.error().spot.column, root.error().message);
  }
  managed.root_ = *std::move(root);
  return managed;
}

ManagedFile ManagedFile::of(std::filesystem::path file, Node root) {
  ManagedFile managed;
  managed.file_ = std::move(file);
  managed.root_ = std::move(root);
  return managed;
}

const Node* ManagedFile::find(Defined kind, std::string_view name) const {
  const auto& root = *root_.as<Node::Table>();
  const Node* all = member_of(root, kind == Defined::alias ? "aliases" : "triggers");
  if (all == nullptr) return nullptr;
  if (const auto* aliases = all->as<Node::Table>()) return member_of(*aliases, name);
  if (const auto* triggers = all->as<Node::Array>()) {
    for (const Node& trigger : *triggers) {
      if (is_named(trigger, name)) return &trigger;
    }
  }
  return nullptr;
}

void ManagedFile::put(Defined kind, std::string_view name, Node table) {
  auto& root = std::get<Node::Table>(root_.value);
  const std::string_view key = kind == Defined::alias ? "aliases" : "triggers";
  Node* all = member_of(root, key);
  if (all == nullptr) {
    Node made;
    if (kind == Defined::alias) {
      made.value = Node::Table{};
    } else {
      made.value = Node::Array{};
    }
    root.push_back({std::string(key), {}, std::move(made)});
    all = &root.back().value;
  }
  if (auto* aliases = std::get_if<Node::Table>(&all->value)) {
    erase_member(std::get<Node::Table>(table.value), "name");  // the table's key is the name
    if (Node* there = member_of(*aliases, name)) {
      *there = std::move(table);
    } else {
      aliases->push_back({std::string(name), {}, std::move(table)});
    }
  } else if (auto* triggers = std::get_if<Node::Array>(&all->value)) {
    auto& keys = std::get<Node::Table>(table.value);
    erase_member(keys, "name");
    keys.insert(keys.begin(), {"name", {}, Node{{}, std::string(name)}});
    for (Node& trigger : *triggers) {
      if (!is_named(trigger, name)) continue;
      trigger = std::move(table);
      return;
    }
    triggers->push_back(std::move(table));
  }
}

bool ManagedFile::remove(Defined kind, std::string_view name) {
  if (find(kind, name) == nullptr) return false;
  auto& root = std::get<Node::Table>(root_.value);
  const std::string_view key = kind == Defined::alias ? "aliases" : "triggers";
  Node& all = *member_of(root, key);
  bool none = false;
  if (auto* aliases = std::get_if<Node::Table>(&all.value)) {
    erase_member(*aliases, name);
    none = aliases->empty();
  } else {
    auto& triggers = std::get<Node::Array>(all.value);
    std::erase_if(triggers, [name](const Node& trigger) { return is_named(trigger, name); });
    none = triggers.empty();
  }
  if (none) erase_member(root, key);
  return true;
}

std::string ManagedFile::text() const {
  return std::string(kHeader) + to_toml(root_);
}

Result<> ManagedFile::write() const {
  // Private, since a definition may hold a password.
  return replace_private_file(file_, text(), {.to_disk = true}).map([](const UniqueFd&) {});
}

// ---- Places ----

std::string key_at(const Node& table, Spot place) {
  return find_spot(table, place, "");
}

}  // namespace triggerd::config
