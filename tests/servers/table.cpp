#include "servers/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <stdexcept>
#include <string_view>

#include "servers/abilities.hpp"

namespace triggerd::test::servers {
namespace {

constexpr std::string_view kBegin = "<!-- What the tests saw: made by tools/servers. -->\n";
constexpr std::string_view kEnd = "<!-- End of what the tests saw. -->\n";

struct Span {
  std::size_t begin, size;
};

Span table_in(const std::string& document) {
  const std::size_t begin = document.find(kBegin);
  const std::size_t end = document.find(kEnd);
  if (begin == std::string::npos || end == std::string::npos || end < begin) {
    throw std::runtime_error(
        fmt::format("docs/servers.md needs these two lines:\n{}{}", kBegin, kEnd));
  }
  return {begin + kBegin.size(), end - begin - kBegin.size()};
}

// The cells of "| a | b |".
std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::size_t from = line.find('|');
  while (from != std::string::npos) {
    const std::size_t to = line.find('|', from + 1);
    if (to == std::string::npos) break;
    const std::string cell = line.substr(from + 1, to - from - 1);
    const std::size_t first = cell.find_first_not_of(' ');
    cells.push_back(first == std::string::npos
                        ? std::string()
                        : cell.substr(first, cell.find_last_not_of(' ') - first + 1));
    from = to;
  }
  return cells;
}

}  // namespace

std::string table_of(const std::vector<Column>& columns) {
  std::string head = "| |", rule = "| --- |", rows;
  for (const Column& column : columns) {
    head += fmt::format(" {} {} |", column.name, column.version);
    rule += " --- |";
  }
  for (const Ability& ability : abilities()) {
    rows += fmt::format("| {} |", ability.text);
    for (const Column& column : columns) rows += fmt::format(" {} |", column.cells.at(ability.key));
    rows += '\n';
  }
  return fmt::format("{}\n{}\n{}", head, rule, rows);
}

std::string differences(const std::string& document, const Column& seen) {
  const Span span = table_in(document);
  std::istringstream in(document.substr(span.begin, span.size));
  std::vector<std::vector<std::string>> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(cells_of(line));
  if (lines.size() != abilities().size() + 2) {
    return fmt::format("the table has {} rows, and {} are tested\n", lines.size(),
                       abilities().size() + 2);
  }
  const auto& head = lines[0];
  const auto column = std::find_if(head.begin(), head.end(), [&](const std::string& cell) {
    return cell.starts_with(seen.name + " ");
  });
  if (column == head.end()) return fmt::format("the table has no column {}\n", seen.name);
  const auto index = static_cast<std::size_t>(column - head.begin());
  std::string found;
  for (std::size_t i = 0; i < abilities().size(); ++i) {
    const Ability& ability = abilities()[i];
    const auto& row = lines[i + 2];
    const auto cell = seen.cells.find(ability.key);
    if (row.size() != head.size() || row[0] != ability.text) {
      found += fmt::format("row {} is not \"{}\"\n", i + 1, ability.text);
    } else if (cell != seen.cells.end() && row[index] != cell->second) {
      found += fmt::format("{}, {}: it says \"{}\", and \"{}\" was seen\n", seen.name, ability.text,
                           row[index], cell->second);
    }
  }
  return found;
}

std::string with_table(const std::string& document, const std::string& table) {
  const Span span = table_in(document);
  return document.substr(0, span.begin) + table + document.substr(span.begin + span.size);
}

}  // namespace triggerd::test::servers
