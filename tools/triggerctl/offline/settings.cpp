#include "offline/settings.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "output.hpp"

namespace triggerctl {
namespace {

using triggerd::fail;
using triggerd::Result;
using triggerd::config::Setting;

// As for the configuration: one for each leaf, with elements of arrays by index.
Result<> flatten(const Json& json, const std::string& path, std::vector<Setting>& flat) {
  const auto add = [&](std::string value, Setting::Type type) -> Result<> {
    flat.push_back({path, std::move(value), type});
    return {};
  };
  switch (json.type()) {
    case Json::value_t::object:
    case Json::value_t::array:
      for (const auto& [key, value] : json.items()) {
        if (auto done = flatten(value, path.empty() ? key : fmt::format("{}.{}", path, key), flat);
            !done) {
          return done;
        }
      }
      return {};
    case Json::value_t::string:
      return add(json.get<std::string>(), Setting::Type::string);
    case Json::value_t::boolean:
      return add(json.dump(), Setting::Type::boolean);
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
      return add(json.dump(), Setting::Type::integer);
    case Json::value_t::number_float:
      return add(json.dump(), Setting::Type::floating);
    default:
      return fail("setting \"{}\" is null; TOML has no null, so no trigger can have it", path);
  }
}

Result<> assign(const std::string& assignment, Json& settings) {
  const std::size_t equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0) {
    return fail("--set {}: write KEY=VALUE", assignment);
  }
  const std::string text = assignment.substr(equals + 1);
  Json value = Json::parse(text, nullptr, false);
  if (!value.is_primitive() || value.is_discarded() || value.is_null()) value = text;
  Json* at = &settings;
  std::string key = assignment.substr(0, equals);
  for (std::size_t dot = 0; (dot = key.find('.')) != std::string::npos; key.erase(0, dot + 1)) {
    at = &(*at)[key.substr(0, dot)];
    if (!at->is_null() && !at->is_object()) {
      return fail("--set {}: \"{}\" is not a table", assignment, key.substr(0, dot));
    }
  }
  (*at)[key] = std::move(value);
  return {};
}

}  // namespace

Result<triggerd::config::Settings> settings_from(const std::string& json,
                                                 const std::vector<std::string>& set) {
  Json settings = Json::object();
  if (!json.empty()) {
    settings = Json::parse(json, nullptr, false);
    if (!settings.is_object()) {
      return fail("--settings: not a JSON object; write '{{\"key\": \"value\"}}'");
    }
  }
  for (const std::string& assignment : set) {
    if (auto done = assign(assignment, settings); !done) return tl::make_unexpected(done.error());
  }
  triggerd::config::Settings made;
  if (auto done = flatten(settings, "", made.flat); !done) {
    return tl::make_unexpected(done.error());
  }
  made.json = settings.dump();
  return made;
}

}  // namespace triggerctl
