// Names of Integration Server in a form that triggerd accepts.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

namespace triggerd::webmethods {

// "plant.services:onAlarm" -> "plant.services.onAlarm": letters, digits, "_", "." and "-".
std::string as_name(std::string_view text);
// "plant.services:onAlarm" -> "plant-services:on-alarm", as plugins and services are called.
std::string as_service(std::string_view text);

// "PlantMonitoring" -> "plant-monitoring", as packages are called.
std::string as_package(std::string_view text);

// Names that are taken: a second one gets "-2" appended.
class Names {
 public:
  // The name of `original` from now on. Two equal names there get two different names here.
  std::string give(std::string_view original) { return give(original, original); }
  std::string give(std::string_view original, std::string_view wanted);
  // The name given to the first one called `original`; empty if there is none.
  std::string find(std::string_view original) const;

 private:
  std::set<std::string, std::less<>> taken_;
  std::map<std::string, std::string, std::less<>> given_;
};

}  // namespace triggerd::webmethods
