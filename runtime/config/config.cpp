#include "config/config.hpp"

#include <algorithm>

namespace triggerd::config {
namespace {

template <class T>
const T* find_by_name(const std::vector<T>& items, std::string_view name) {
  const auto found =
      std::find_if(items.begin(), items.end(), [name](const T& item) { return item.name == name; });
  return found == items.end() ? nullptr : &*found;
}

}  // namespace

std::string to_string(const Place& place) {
  if (place.line == 0) return place.file;
  return fmt::format("{}:{}:{}", place.file, place.line, place.column);
}

const Truststore* Config::find_truststore(std::string_view name) const {
  return find_by_name(truststores, name);
}

const Keystore* Config::find_keystore(std::string_view name) const {
  return find_by_name(keystores, name);
}

const Alias* Config::find_alias(std::string_view name) const {
  return find_by_name(aliases, name);
}

const Trigger* Config::find_trigger(std::string_view name) const {
  return find_by_name(triggers, name);
}

}  // namespace triggerd::config
