#include "config/settings.hpp"

#include <cmath>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>

#include "base/units.hpp"
#include "config/expand.hpp"

namespace triggerd::config {
namespace {

constexpr unsigned kMaxDepth = 32;
// A long key with many values below it repeats in each flat key.
constexpr std::size_t kMaxFlat = std::size_t{4} << 20;

class SettingsReader {
 public:
  explicit SettingsReader(const SourceFile& file) : file_(file) {}

  Settings read(const Node& table) {
    settings_.json.clear();
    add_table(*table.as<Node::Table>(), {}, 0);
    if (flat_bytes_ > kMaxFlat) {
      file_.error(table.spot, "settings are larger than {} with all their keys written out",
                  format_size(kMaxFlat));
    }
    return std::move(settings_);
  }

 private:
  // `depth` counts the tables and arrays around `node`, settings itself not among them.
  void add(const Node& node, const std::string& key, unsigned depth) {
    if (flat_bytes_ > kMaxFlat) return;
    const auto* table = node.as<Node::Table>();
    const auto* array = node.as<Node::Array>();
    if (table == nullptr && array == nullptr) {
      add_leaf(node, key);
    } else if (depth > kMaxDepth) {
      file_.error(node.spot, "settings are nested deeper than {} levels", kMaxDepth);
    } else if (table != nullptr) {
      add_table(*table, key, depth);
    } else {
      add_array(*array, key, depth);
    }
  }

  void add_table(const Node::Table& table, const std::string& key, unsigned depth) {
    settings_.json += '{';
    for (const Member& member : table) {
      if (&member != &table.front()) settings_.json += ',';
      settings_.json += quoted(member.key);
      settings_.json += ':';
      add(member.value, key.empty() ? member.key : key + '.' + member.key, depth + 1);
    }
    settings_.json += '}';
  }

  void add_array(const Node::Array& array, const std::string& key, unsigned depth) {
    settings_.json += '[';
    for (std::size_t i = 0; i < array.size(); ++i) {
      if (i > 0) settings_.json += ',';
      add(array[i], fmt::format("{}.{}", key, i), depth + 1);
    }
    settings_.json += ']';
  }

  void add_leaf(const Node& node, const std::string& key) {
    if (const auto* text = node.as<std::string>()) {
      auto value = expand(*text, file_.environment);
      if (!value) {
        file_.error(node.spot, "setting {}: {}", key, value.error().message);
      } else {
        const std::string json = quoted(*value);
        add_flat(key, *std::move(value), Setting::Type::string, json);
      }
    } else if (const auto* date = node.as<Date>()) {
      add_flat(key, date->text, Setting::Type::string, quoted(date->text));
    } else if (const auto* integer = node.as<std::int64_t>()) {
      const std::string number = std::to_string(*integer);
      add_flat(key, number, Setting::Type::integer, number);
    } else if (const auto* boolean = node.as<bool>()) {
      const std::string word = *boolean ? "true" : "false";
      add_flat(key, word, Setting::Type::boolean, word);
    } else if (const auto* floating = node.as<double>()) {
      if (!std::isfinite(*floating)) {
        file_.error(node.spot, "setting {} must be a finite number; JSON has no other", key);
        return;
      }
      const std::string number = nlohmann::json(*floating).dump();
      add_flat(key, number, Setting::Type::floating, number);
    }
  }

  void add_flat(const std::string& key, std::string value, Setting::Type type,
                const std::string& json) {
    flat_bytes_ += key.size() + value.size();
    settings_.json += json;
    settings_.flat.push_back({key, std::move(value), type});
  }

  // Strings are UTF-8, or dump() would throw: TOML++ and expand() have checked that.
  static std::string quoted(const std::string& text) { return nlohmann::json(text).dump(); }

  const SourceFile& file_;
  Settings settings_;
  std::size_t flat_bytes_ = 0;
};

}  // namespace

Settings read_settings(const SourceFile& file, const Node& table) {
  return SettingsReader(file).read(table);
}

}  // namespace triggerd::config
