// From MQTT aliases and triggers of webMethods Integration Server to a triggers.toml.
//
//   webmethods.hpp  this: the whole way, from text to text
//   json.hpp        JSON whose values know their line
//   reader.hpp      fields of an object: what is wrong, and what nobody asked for
//   exported.hpp    what the file says, in words of Integration Server
//   toml.hpp        lines of TOML with comments
//   convert.hpp     from the one to the other; here stands what differs, and why
//
// The file is the neutral JSON of docs/guides/import-webmethods.md: the real package files are not
// documented by their maker. Pure functions, any thread; knows base and config.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace triggerd::webmethods {

struct Options {
  std::string file;    // as remarks name it
  bool exact = false;  // keep Integration Server's defaults, too, as far as they can be kept
  // All of it in one configuration: what belongs to a package there says so, and is none here.
  bool flat = false;
  // What takes the place of a service there: "folder:name" -> "PLUGIN:SERVICE".
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
  std::string package_toml;   // what stands in it
  std::string triggers_toml;  //
};

struct Imported {
  std::string toml;  // says each difference again, where it stands
  std::vector<ImportedPackage> packages;
  std::vector<Remark> differences;
  std::size_t aliases = 0;
  std::size_t triggers = 0;
};

// All errors at once, in the order of lines.
tl::expected<Imported, std::vector<Remark>> import(std::string_view json, const Options& options);

}  // namespace triggerd::webmethods
