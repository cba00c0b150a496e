// Converts MQTT aliases and triggers of webMethods Integration Server to a triggers.toml.
//
//   webmethods.hpp  this: the whole conversion, from text to text
//   json.hpp        JSON whose values know their line
//   reader.hpp      fields of an object: errors, and fields that nobody asked for
//   exported.hpp    what the file says, in the terms of Integration Server
//   toml.hpp        lines of TOML with comments
//   convert.hpp     from the one to the other; says what differs, and why:
//     package_plan.hpp     what goes to which package
//     stores.hpp, alias_section.hpp, trigger_section.hpp, packages.hpp     the sections and files
//     draft.hpp            a file that is being written, and the remarks about it
//
// The file is the neutral JSON of docs/guides/import-webmethods.md, because the format of the real
// package files is not documented. Pure functions, any thread; knows base and config.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace triggerd::webmethods {

struct Options {
  std::string file;    // its name in remarks
  bool exact = false;  // keep Integration Server's defaults as well, as far as possible
  // Everything in one configuration: what belongs to a package there gets a comment, and no package
  // here.
  bool flat = false;
  // Replacements for services: "folder:name" -> "PLUGIN:SERVICE".
  std::map<std::string, std::string, std::less<>> services = {};
};

// "FILE:LINE: what": an error, or a deliberate difference.
struct Remark {
  unsigned line = 0;
  std::string text;
};
std::string to_string(const Remark& remark, std::string_view file, std::string_view kind);

struct ImportedPackage {
  std::string name;           // of its folder, in packages_dir
  std::string package_toml;   // its content
  std::string triggers_toml;  //
};

struct Imported {
  std::string toml;  // repeats each difference at its place
  std::vector<ImportedPackage> packages;
  std::vector<Remark> differences;
  std::size_t aliases = 0;
  std::size_t triggers = 0;
};

// Returns all errors at once, sorted by line.
tl::expected<Imported, std::vector<Remark>> import(std::string_view json, const Options& options);

}  // namespace triggerd::webmethods
