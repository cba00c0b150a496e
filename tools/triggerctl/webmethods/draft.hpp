// A file that is being written, with what is to be said about it: each difference between the two
// programs is a comment at its place, and a remark.
#pragma once

#include <fmt/core.h>

#include <string>
#include <utility>
#include <vector>

#include "webmethods/toml.hpp"
#include "webmethods/webmethods.hpp"

namespace triggerd::webmethods {

// What is being written: its name in remarks, and its line in the file that was read.
struct Entry {
  std::string what;
  unsigned line = 0;
};

// Of all files together.
struct Remarks {
  std::vector<Remark> differences;
  std::vector<Remark> errors;
};

class Draft {
 public:
  // `remarks` outlives it.
  explicit Draft(Remarks& remarks) : remarks_(remarks) {}

  TomlWriter toml;

  template <class... Args>
  void differs(const Entry& entry, fmt::format_string<Args...> format, Args&&... args) {
    const std::string text = fmt::format(format, std::forward<Args>(args)...);
    toml.comment("DIFFERS: " + text);
    remarks_.differences.push_back({entry.line, entry.what + ": " + text});
  }
  template <class... Args>
  void error(unsigned line, const Entry& entry, fmt::format_string<Args...> format,
             Args&&... args) {
    remarks_.errors.push_back(
        {line, entry.what + ": " + fmt::format(format, std::forward<Args>(args)...)});
  }

 private:
  Remarks& remarks_;
};

}  // namespace triggerd::webmethods
