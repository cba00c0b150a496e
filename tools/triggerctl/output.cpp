#include "output.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/text.hpp"

namespace triggerctl {
namespace {

constexpr std::size_t kWhole = std::size_t{1} << 40;

// The JSON that is written has these only inside of strings.
std::string escaped_json(const Json& json, int indent) {
  const std::string text = json.dump(indent, ' ', false, Json::error_handler_t::replace);
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<std::uint8_t>(text[i]);
    const std::uint8_t next = i + 1 < text.size() ? static_cast<std::uint8_t>(text[i + 1]) : 0;
    if (byte == 0x7F) {
      out += "\\u007f";
    } else if (byte == 0xC2 && next >= 0x80 && next < 0xA0) {
      out += fmt::format("\\u00{:02x}", next);
      ++i;
    } else if (const std::size_t size =
                   triggerd::append_format_control(out, std::string_view(text).substr(i));
               size > 0) {
      i += size - 1;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string padded(const Cell& cell, std::size_t width, bool right, bool last) {
  const std::size_t has = columns_of(cell.text);
  const std::string fill(width > has ? width - has : 0, ' ');
  const std::string text = coloured(cell.colour, cell.text);
  if (right) return fill + text + (last ? "" : "  ");
  return last ? text : text + fill + "  ";
}

}  // namespace

bool& json_wanted() {
  static bool wanted = false;
  return wanted;
}

void print_json(const Json& json) {
  fmt::print("{}\n", escaped_json(json, 2));
}

void print_json_line(const Json& json) {
  fmt::print("{}\n", escaped_json(json, -1));
  std::fflush(stdout);
}

std::string coloured(Colour colour, std::string_view text) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody changes the environment here.
  static const bool wanted = ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
  if (!wanted || colour == Colour::none) return std::string(text);
  const int code = colour == Colour::green    ? 32
                   : colour == Colour::yellow ? 33
                   : colour == Colour::red    ? 31
                                              : 2;
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

std::string safe(std::string_view text) {
  return triggerd::printable(text, kWhole);
}

std::string safe_lines(std::string_view text) {
  std::string out;
  for (;;) {
    const std::size_t end = text.find('\n');
    out += safe(text.substr(0, end));
    if (end == std::string_view::npos) return out;
    out += '\n';
    text.remove_prefix(end + 1);
  }
}

std::string shortened(std::string_view text, std::size_t columns) {
  std::string whole = safe(text);
  if (columns_of(whole) <= columns) return whole;
  std::size_t seen = 0;
  std::size_t at = 0;
  while (at < whole.size()) {
    if ((whole[at] & 0xC0) != 0x80 && seen++ + 3 == columns) break;
    ++at;
  }
  return whole.substr(0, at) + "...";
}

std::string about_seconds(double seconds) {
  if (seconds < 10) return fmt::format("{:.1f} s", seconds);
  if (seconds < 120) return fmt::format("{:.0f} s", seconds);
  if (seconds < 120 * 60) return fmt::format("{:.0f} min", seconds / 60);
  if (seconds < 48 * 3600) return fmt::format("{:.0f} h", seconds / 3600);
  return fmt::format("{:.0f} d", seconds / 86400);
}

std::string about_latency(double seconds) {
  if (seconds < 0.0001) return fmt::format("{:.0f} us", seconds * 1e6);
  if (seconds < 0.01) return fmt::format("{:.1f} ms", seconds * 1e3);
  if (seconds < 1) return fmt::format("{:.0f} ms", seconds * 1e3);
  return about_seconds(seconds);
}

std::string about_bytes(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  constexpr std::array units{"KiB", "MiB", "GiB", "TiB"};
  auto size = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  while (size >= 1024 && unit + 1 < units.size()) {
    size /= 1024;
    ++unit;
  }
  return size < 10 && size != static_cast<double>(static_cast<int>(size))
             ? fmt::format("{:.1f} {}", size, units.at(unit))
             : fmt::format("{:.0f} {}", size, units.at(unit));
}

std::string date_and_time(std::string_view rfc3339) {
  if (rfc3339.size() < 19 || rfc3339[10] != 'T') return safe(rfc3339);
  return safe(fmt::format("{} {}", rfc3339.substr(0, 10), rfc3339.substr(11, 8)));
}

std::string counted(std::uint64_t count, std::string_view one) {
  return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s");
}

std::size_t columns_of(std::string_view text) {
  std::size_t columns = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\x1b') {
      while (i < text.size() && text[i] != 'm') ++i;
    } else if ((text[i] & 0xC0) != 0x80) {
      ++columns;
    }
  }
  return columns;
}

Table::Table(std::vector<std::string> head) {
  std::vector<Cell> cells;
  for (std::string& name : head) {
    right_.push_back(name.starts_with('>'));
    cells.emplace_back(right_.back() ? name.substr(1) : std::move(name), Colour::dim);
  }
  rows_.push_back({std::move(cells), false});
}

std::string Table::text() const {
  if (rows_.size() < 2) return "";
  std::vector<std::size_t> widths(right_.size(), 0);
  for (const Row& row : rows_) {
    if (row.note) continue;
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
      widths[i] = std::max(widths[i], columns_of(row.cells[i].text));
    }
  }
  std::string text;
  for (const Row& row : rows_) {
    std::string line;
    if (row.note) {
      line = "  " + coloured(Colour::yellow, row.cells.front().text);
    } else {
      for (std::size_t i = 0; i < row.cells.size(); ++i) {
        line += padded(row.cells[i], widths[i], right_[i], i + 1 == widths.size());
      }
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

Progress::Progress() : wanted_(::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (shown_) fmt::print(stderr, "\r\x1b[K");
}

void Progress::show(const std::string& text) {
  if (!wanted_) return;
  shown_ = true;
  fmt::print(stderr, "\r\x1b[K{}", text);
  std::fflush(stderr);
}

}  // namespace triggerctl
