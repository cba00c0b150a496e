// Settings as a test writes them, and as the ABI carries them. Included by trigger/testing.hpp.
#ifndef TRIGGER_TESTING_SETTINGS_HPP
#define TRIGGER_TESTING_SETTINGS_HPP

#include <trigger/plugin.h>

#include <cstddef>
#include <cstdint>
#include <locale>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace trigger {
namespace testing {

// One leaf of the settings table: {"limit_celsius", 80}, {"limits.high", 2.5}, {"on", true},
// {"topic", "a/b"}. An array is written by index: {"sensors.0", "a"}, {"sensors.1", "b"}.
struct Setting {
  Setting(std::string path, std::string text)
      : key(std::move(path)), value(std::move(text)), type(TRIGGER_SETTING_STRING) {}
  Setting(std::string path, const char* text) : Setting(std::move(path), std::string(text)) {}
  template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
  Setting(std::string path, T number) : key(std::move(path)) {
    if constexpr (std::is_same_v<T, bool>) {
      value = number ? "true" : "false";
      type = TRIGGER_SETTING_BOOL;
    } else if constexpr (std::is_integral_v<T>) {
      value = std::to_string(number);
      type = TRIGGER_SETTING_INTEGER;
    } else {
      std::ostringstream out;
      out.imbue(std::locale::classic());
      out.precision(17);
      out << number;
      value = out.str();
      type = TRIGGER_SETTING_FLOAT;
    }
  }

  std::string key;
  std::string value;
  std::uint32_t type;
};

using Settings = std::vector<Setting>;

namespace detail {

// A table, an array (its keys are 0, 1, 2...) or a leaf of the settings, to be written as JSON.
struct JsonNode {
  std::string name;  // in its parent
  const Setting* leaf;
  std::vector<JsonNode> children;

  JsonNode& child(std::string_view wanted) {
    for (JsonNode& node : children) {
      if (node.name == wanted) return node;
    }
    children.push_back({std::string(wanted), nullptr, {}});
    return children.back();
  }

  static void append_string(std::string& out, std::string_view text) {
    constexpr const char* hex = "0123456789abcdef";
    out += '"';
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\') {
        out += {'\\', c};
      } else if (byte < 0x20) {
        out += {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 0xF]};
      } else {
        out += c;
      }
    }
    out += '"';
  }

  void append_to(std::string& out) const {
    if (leaf != nullptr) {
      if (leaf->type == TRIGGER_SETTING_STRING) {
        append_string(out, leaf->value);
      } else {
        out += leaf->value;
      }
      return;
    }
    bool array = !children.empty();
    for (std::size_t i = 0; i < children.size(); ++i) {
      array = array && children[i].name == std::to_string(i);
    }
    out += array ? '[' : '{';
    for (std::size_t i = 0; i < children.size(); ++i) {
      if (i != 0) out += ',';
      if (!array) {
        append_string(out, children[i].name);
        out += ':';
      }
      children[i].append_to(out);
    }
    out += array ? ']' : '}';
  }
};

inline std::string to_json(const Settings& settings) {
  JsonNode root{"", nullptr, {}};
  for (const Setting& setting : settings) {
    JsonNode* node = &root;
    std::string_view rest = setting.key;
    for (std::size_t dot = rest.find('.'); dot != std::string_view::npos; dot = rest.find('.')) {
      node = &node->child(rest.substr(0, dot));
      rest.remove_prefix(dot + 1);
    }
    node->child(rest).leaf = &setting;
  }
  std::string out;
  root.append_to(out);
  return out;
}

}  // namespace detail
}  // namespace testing
}  // namespace trigger

#endif  // TRIGGER_TESTING_SETTINGS_HPP
