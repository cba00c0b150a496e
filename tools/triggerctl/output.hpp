// How verbs print: text for people, aligned and coloured where it goes to a terminal, or one JSON
// document with --json.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace triggerctl {

// Members keep the order in which they were added.
using Json = nlohmann::ordered_json;

// Whether --json was given.
bool& json_wanted();

// To standard output, indented, with a newline. Text that is not UTF-8 is mended.
void print_json(const Json& json);

enum class Colour { none, green, yellow, red, dim };
// `text` in that colour where standard output is a terminal that wants colours (NO_COLOR is unset).
std::string coloured(Colour colour, std::string_view text);

// Lines of columns. The last column is as wide as it is, the others as their widest cell.
class Table {
 public:
  explicit Table(std::vector<std::string> head) { rows_.push_back(std::move(head)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  // With the head; "" where there is no row.
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace triggerctl
