#include "servers/table.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string_view>

#include "servers/abilities.hpp"

namespace triggerd::test::servers {
namespace {

constexpr std::string_view kBegin = "<!-- What the tests saw: made by tools/servers. -->\n";
constexpr std::string_view kEnd = "<!-- End of what the tests saw. -->\n";
constexpr const char* kOn = "tested on";  // the row of the distributions

struct Span {
  std::size_t begin, size;
};

Span table_in(const std::string& document) {
  const std::size_t begin = document.find(kBegin);
  const std::size_t end = document.find(kEnd);
  if (begin == std::string::npos || end == std::string::npos || end < begin) {
    throw std::runtime_error(
        fmt::format("docs/reference/servers.md needs these two lines:\n{}{}", kBegin, kEnd));
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

std::vector<std::string> split(const std::string& text, const std::string& by) {
  std::vector<std::string> parts;
  std::size_t from = 0;
  for (std::size_t to; (to = text.find(by, from)) != std::string::npos; from = to + by.size()) {
    parts.push_back(text.substr(from, to - from));
  }
  parts.push_back(text.substr(from));
  return parts;
}

bool has(const std::vector<std::string>& all, const std::string& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

}  // namespace

std::string distribution() {
  std::ifstream file("/etc/os-release");
  std::string name, version;
  for (std::string line; std::getline(file, line);) {
    line.erase(std::remove(line.begin(), line.end(), '"'), line.end());
    if (line.starts_with("NAME=")) name = line.substr(5, line.find(' ') - 5);
    if (line.starts_with("VERSION_ID=")) version = line.substr(11);
  }
  return fmt::format("{} {}", name, version);
}

std::string table_of(const std::vector<Column>& columns) {
  std::string head = "| |", rule = "| --- |", rows = fmt::format("| {} |", kOn);
  for (const Column& column : columns) {
    head += fmt::format(" {} {} |", column.name, column.version);
    rule += " --- |";
    rows += fmt::format(" {} |", fmt::join(column.on, ", "));
  }
  rows += '\n';
  for (const Ability& ability : abilities()) {
    rows += fmt::format("| {} |", ability.text);
    for (const Column& column : columns) rows += fmt::format(" {} |", column.cells.at(ability.key));
    rows += '\n';
  }
  return fmt::format("{}\n{}\n{}", head, rule, rows);
}

std::vector<Column> columns_in(const std::string& document) {
  const Span span = table_in(document);
  std::istringstream in(document.substr(span.begin, span.size));
  std::vector<Column> columns;
  for (std::string line; std::getline(in, line);) {
    const auto cells = cells_of(line);
    if (columns.empty()) {
      for (std::size_t i = 1; i < cells.size(); ++i) {
        const std::size_t space = std::min(cells[i].rfind(' '), cells[i].size() - 1);
        columns.push_back({cells[i].substr(0, space), cells[i].substr(space + 1), {}, {}});
      }
      continue;
    }
    if (cells.size() != columns.size() + 1) continue;
    const auto ability = std::find_if(abilities().begin(), abilities().end(),
                                      [&](const Ability& a) { return a.text == cells[0]; });
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (cells[0] == kOn) columns[i].on = split(cells[i + 1], ", ");
      if (ability != abilities().end()) columns[i].cells[ability->key] = cells[i + 1];
    }
  }
  return columns;
}

std::vector<Column> merged(std::vector<Column> known, const std::vector<Column>& seen) {
  for (Column& column : known) {
    column.on.erase(std::remove(column.on.begin(), column.on.end(), seen.at(0).on.at(0)),
                    column.on.end());
  }
  known.erase(std::remove_if(known.begin(), known.end(),
                             [](const Column& column) { return column.on.empty(); }),
              known.end());
  for (const Column& column : seen) {
    const auto same = std::find_if(known.begin(), known.end(), [&](const Column& other) {
      return other.name == column.name && other.version == column.version &&
             other.cells == column.cells;
    });
    if (same == known.end()) {
      known.push_back(column);
    } else {
      same->on.push_back(column.on[0]);
      std::sort(same->on.begin(), same->on.end());
    }
  }
  // In the order in which they were seen; what is of other distributions alone comes last.
  const auto place = [&](const Column& column) {
    return std::find_if(seen.begin(), seen.end(),
                        [&](const Column& other) { return other.name == column.name; }) -
           seen.begin();
  };
  std::stable_sort(known.begin(), known.end(), [&](const Column& one, const Column& two) {
    return place(one) != place(two) ? place(one) < place(two) : older(one.version, two.version);
  });
  return known;
}

std::string differences(const std::string& document, const Column& seen) {
  const std::vector<Column> columns = columns_in(document);
  const Column* said = nullptr;
  for (const Column& column : columns) {
    if (column.name != seen.name) continue;
    if (has(column.on, seen.on.at(0))) {
      said = &column;
      break;
    }
    if (said == nullptr || !older(seen.version, column.version)) said = &column;
  }
  if (said == nullptr) return fmt::format("the table has no column {}\n", seen.name);
  std::string found;
  for (const Ability& ability : abilities()) {
    const auto saw = seen.cells.find(ability.key);
    const auto says = said->cells.find(ability.key);
    if (says == said->cells.end()) {
      found += fmt::format("the table has no row \"{}\"\n", ability.text);
    } else if (saw != seen.cells.end() && saw->second != says->second) {
      found += fmt::format("{} {}, {}: it says \"{}\", and \"{}\" was seen\n", said->name,
                           said->version, ability.text, says->second, saw->second);
    }
  }
  return found;
}

std::string with_table(const std::string& document, const std::string& table) {
  const Span span = table_in(document);
  return document.substr(0, span.begin) + table + document.substr(span.begin + span.size);
}

}  // namespace triggerd::test::servers
