// Collects the errors in all files, and sorts them by file and place.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/expand.hpp"
#include "config/place.hpp"
#include "config/tree.hpp"

namespace triggerd::config {

class Diagnostics {
 public:
  // Errors are sorted by file, in the order of these calls.
  void begin_file(const std::string& name);
  void add(Place place, std::string message);

  bool empty() const { return found_.empty(); }
  std::vector<Diagnostic> sorted() &&;

 private:
  std::map<std::string, std::size_t> file_order_;
  std::vector<Diagnostic> found_;
};

// The file that is being read: where it is, and where its errors go.
struct SourceFile {
  std::string name;              // as messages show it
  std::filesystem::path folder;  // relative paths in it start here
  const Environment& environment;
  Diagnostics& diagnostics;
  std::string package = {};  // the package that it belongs to; empty: none
  // False: the file may define aliases and triggers, but must not configure the runtime itself.
  bool may_set_up = true;

  Place place(Spot spot) const { return {name, spot.line, spot.column}; }
  template <class... Args>
  void error(Spot spot, fmt::format_string<Args...> format, Args&&... args) const {
    diagnostics.add(place(spot), fmt::format(format, std::forward<Args>(args)...));
  }
};

// "; did you mean "x"?", or an empty string if no candidate is close.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace triggerd::config
