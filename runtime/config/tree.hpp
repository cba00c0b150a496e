// A TOML file as a tree of plain values, in the order of the file, each with its place.
//
// The sections are read from this tree and not from TOML++, so that only parse_toml.cpp includes
// the headers of TOML++: they take longer to compile than all the rest of config/.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace triggerd::config {

// Line and column in a file, counted from 1; columns are code points.
struct Spot {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

struct Member;

// A date, a time, or both, as TOML writes it.
struct Date {
  std::string text;
};

struct Node {
  using Array = std::vector<Node>;
  using Table = std::vector<Member>;  // keys are unique

  Spot spot;  // of the value; for a table with a header, of that header
  std::variant<std::string, std::int64_t, double, bool, Date, Array, Table> value;

  template <class T>
  const T* as() const {
    return std::get_if<T>(&value);
  }
};

struct Member {
  std::string key;
  Spot key_spot;
  Node value;
};

// "a string", "an integer": for messages.
std::string_view type_name(const Node& node);

}  // namespace triggerd::config
