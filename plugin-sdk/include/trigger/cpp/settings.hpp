// [triggers.settings] as a service reads it. Included by trigger/plugin.hpp.
#ifndef TRIGGER_CPP_SETTINGS_HPP
#define TRIGGER_CPP_SETTINGS_HPP

#include <trigger/plugin.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <locale>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <trigger/cpp/text.hpp>
#include <utility>
#include <vector>

namespace trigger {

// A setting that a service cannot work with. Thrown from a service's constructor, it makes the
// trigger's configuration an error. `what` continues 'setting "KEY" ': "must be 0, 1 or 2". Do not
// quote the value in it: it may be a secret.
class SettingError : public std::runtime_error {
 public:
  SettingError(std::string_view key, std::string_view what)
      : std::runtime_error("setting \"" + std::string(key) + "\" " + std::string(what)) {}
};

// One leaf of the settings table; `key` is its dotted path.
struct Setting {
  std::string key;
  std::string value;
  std::uint32_t type;  // TRIGGER_SETTING_...
};

// A copy of an instance's settings. Constant after construction, so any thread may read it.
//
// Each getter comes twice: without a default for a required setting, where it throws SettingError
// if that is missing, and with a default. Both throw SettingError if the setting has another type.
// Keys are dotted paths: "limits.high", "sensors.0.name".
class Settings {
 public:
  Settings(std::string json, std::vector<Setting> leaves)
      : json_(std::move(json)), leaves_(std::move(leaves)) {}

  // Whether `key` is there, as a leaf or as a table or array with leaves in it.
  bool has(std::string_view key) const {
    for (const Setting& leaf : leaves_) {
      if (covers(key, leaf.key)) return true;
    }
    return false;
  }

  std::string text(std::string_view key) const { return require(find_text(key), key, "a string"); }
  std::string text(std::string_view key, std::string absent) const {
    return find_text(key).value_or(std::move(absent));
  }

  // Accepts an integer, too, but not infinity or NaN.
  double number(std::string_view key) const { return require(find_number(key), key, "a number"); }
  double number(std::string_view key, double absent) const {
    return find_number(key).value_or(absent);
  }

  std::int64_t integer(std::string_view key) const {
    return require(find_integer(key), key, "an integer");
  }
  std::int64_t integer(std::string_view key, std::int64_t absent) const {
    return find_integer(key).value_or(absent);
  }

  bool boolean(std::string_view key) const {
    return require(find_boolean(key), key, "true or false");
  }
  bool boolean(std::string_view key, bool absent) const {
    return find_boolean(key).value_or(absent);
  }

  // Throws SettingError for the first setting that is neither one of `keys` nor below one, so that
  // a misspelt key does not pass for an absent one. If one of `keys` is close, it says so.
  void require_known(std::initializer_list<std::string_view> keys) const {
    for (const Setting& leaf : leaves_) {
      bool known = false;
      for (const std::string_view key : keys) known = known || covers(key, leaf.key);
      if (known) continue;
      std::string list;
      for (const std::string_view key : keys) list += (list.empty() ? "" : ", ") + std::string(key);
      if (list.empty()) {
        throw SettingError(leaf.key, "is unknown; this service takes no settings");
      }
      throw SettingError(
          leaf.key,
          is_unknown(leaf.key, list, did_you_mean(closest(leaf.key, keys.begin(), keys.end()))));
    }
  }

  // All leaves, in the order of the file. Empty tables and arrays have none: see json().
  const std::vector<Setting>& leaves() const noexcept { return leaves_; }

  // The whole table as one JSON object, for services that bring a JSON parser.
  const std::string& json() const noexcept { return json_; }

 private:
  // Whether the leaf at `path` is `key` itself or lies in it.
  static bool covers(std::string_view key, std::string_view path) {
    return path.substr(0, key.size()) == key &&
           (path.size() == key.size() || path[key.size()] == '.');
  }

  static const char* name_of(std::uint32_t type) {
    switch (type) {
      case TRIGGER_SETTING_STRING:
        return "a string";
      case TRIGGER_SETTING_INTEGER:
        return "an integer";
      case TRIGGER_SETTING_FLOAT:
        return "a number";
      case TRIGGER_SETTING_BOOL:
        return "true or false";
      default:
        return "of a type that this SDK does not know";
    }
  }

  const Setting* find(std::string_view key, std::uint32_t type, std::uint32_t or_type,
                      const char* wanted) const {
    for (const Setting& leaf : leaves_) {
      if (leaf.key == key) {
        if (leaf.type == type || leaf.type == or_type) return &leaf;
        throw SettingError(
            key, "must be " + std::string(wanted) + ", not " + std::string(name_of(leaf.type)));
      }
    }
    if (has(key)) {
      throw SettingError(key, "must be " + std::string(wanted) + ", not a table or an array");
    }
    return nullptr;
  }

  std::optional<std::string> find_text(std::string_view key) const {
    const Setting* leaf = find(key, TRIGGER_SETTING_STRING, TRIGGER_SETTING_STRING, "a string");
    if (leaf == nullptr) return std::nullopt;
    return leaf->value;
  }

  std::optional<double> find_number(std::string_view key) const {
    const Setting* leaf = find(key, TRIGGER_SETTING_FLOAT, TRIGGER_SETTING_INTEGER, "a number");
    if (leaf == nullptr) return std::nullopt;
    // Not from_chars: some C++17 libraries have none for double. Not strtod: the process's locale.
    std::istringstream in(leaf->value);
    in.imbue(std::locale::classic());
    double value = 0;
    if (!(in >> value) || in.peek() != std::istringstream::traits_type::eof() ||
        !std::isfinite(value)) {
      throw SettingError(key, "must be a finite number");
    }
    return value;
  }

  std::optional<std::int64_t> find_integer(std::string_view key) const {
    const Setting* leaf = find(key, TRIGGER_SETTING_INTEGER, TRIGGER_SETTING_INTEGER, "an integer");
    if (leaf == nullptr) return std::nullopt;
    std::int64_t value = 0;
    const char* end = leaf->value.data() + leaf->value.size();
    const auto [stopped, error] = std::from_chars(leaf->value.data(), end, value);
    if (error != std::errc() || stopped != end) {
      throw SettingError(key, "must be a 64-bit integer");
    }
    return value;
  }

  std::optional<bool> find_boolean(std::string_view key) const {
    const Setting* leaf = find(key, TRIGGER_SETTING_BOOL, TRIGGER_SETTING_BOOL, "true or false");
    if (leaf == nullptr) return std::nullopt;
    return leaf->value == "true";
  }

  // If it is missing, the error suggests the key that may have been misspelt.
  template <class T>
  T require(std::optional<T> value, std::string_view key, const char* wanted) const {
    if (value) return *std::move(value);
    std::vector<std::string_view> there;
    for (const Setting& leaf : leaves_) there.emplace_back(leaf.key);
    const std::string_view misspelt = closest(key, there.begin(), there.end());
    throw SettingError(
        key, "is missing; it must be " + std::string(wanted) +
                 (misspelt.empty() ? std::string() : "; is it \"" + std::string(misspelt) + "\"?"));
  }

  static std::string did_you_mean(std::string_view word) {
    return word.empty() ? std::string() : "; did you mean \"" + std::string(word) + "\"?";
  }

  // A reason has room for so much, and the hint must not be what is cut off.
  static std::string is_unknown(std::string_view key, const std::string& list,
                                const std::string& hint) {
    constexpr std::size_t room = sizeof(trigger_result::reason) - 80;
    if (hint.empty() || key.size() + list.size() + hint.size() <= room) {
      return "is unknown; this service knows " + list + hint;
    }
    return "is unknown" + hint + " This service knows " + list;
  }

  // How many characters must be added, removed or replaced to turn one into the other.
  static std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
      std::size_t diagonal = row[0];
      row[0] = i;
      for (std::size_t j = 1; j <= b.size(); ++j) {
        const std::size_t above = row[j];
        const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
        row[j] = std::min(std::min(above, row[j - 1]) + 1, replaced);
        diagonal = above;
      }
    }
    return row[b.size()];
  }

  // The word that may have been meant: up to a third of it may be wrong. Empty if none is so close.
  template <class Iterator>
  static std::string_view closest(std::string_view word, Iterator begin, Iterator end) {
    constexpr std::size_t longest = 64;
    std::string_view found;
    std::size_t best = std::max<std::size_t>(1, word.size() / 3) + 1;
    for (Iterator at = begin; at != end; ++at) {
      if (word.size() > longest || at->size() > longest) continue;
      const std::size_t far = distance(word, *at);
      if (far < best) {
        best = far;
        found = *at;
      }
    }
    return found;
  }

  std::string json_;
  std::vector<Setting> leaves_;
};

}  // namespace trigger

#endif  // TRIGGER_CPP_SETTINGS_HPP
