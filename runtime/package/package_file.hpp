// package.toml: a package's name, version, description and requirements.
//
//   name = "boilers"
//   version = "1.4.0"
//   description = "boiler rooms"
//   requires = [{ name = "thermometry", version = ">=2, <3" }]
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "config/place.hpp"
#include "package/version.hpp"

namespace triggerd::package {

inline constexpr const char* kPackageFile = "package.toml";

struct Need {
  std::string name;
  VersionRange versions;
  std::string versions_text;  // empty: any
  config::Place place;
};

struct PackageFile {
  std::string name;
  Version version;
  std::string version_text;
  std::string description;
  std::vector<Need> needs;
};

// [a-z0-9][a-z0-9_-]{0,63}. It is also a folder's name, so no two may differ only in case.
bool is_package_name(std::string_view text);

// Reads package.toml in `folder`. Messages call the file `shown`. All its errors are reported at
// once.
tl::expected<PackageFile, std::vector<config::Diagnostic>> read_package_file(
    const std::filesystem::path& folder, const std::string& shown);

}  // namespace triggerd::package
