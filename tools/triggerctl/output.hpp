// How verbs print: text for people, aligned, and coloured if it goes to a terminal, or one JSON
// document with --json.
//
// Whatever comes from outside - topics, payloads, names, reasons - goes through safe() on its way
// to a terminal, which would obey control characters in it.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace triggerctl {

// Members keep the order in which they were added.
using Json = nlohmann::ordered_json;

// Whether --json was given.
bool& json_wanted();

// To standard output, indented, with a newline. Invalid UTF-8 is repaired, and control characters
// are escaped.
void print_json(const Json& json);
// The same on one line, for documents that follow each other, and at once.
void print_json_line(const Json& json);

enum class Colour { none, green, yellow, red, dim };
// `text` in that colour if standard output is a terminal and colours are wanted (NO_COLOR is
// unset).
std::string coloured(Colour colour, std::string_view text);

// On one line, without control characters and characters that change the direction of text.
std::string safe(std::string_view text);
// The same for text of several lines.
std::string safe_lines(std::string_view text);
// safe(), and cut to `columns` with "..." if it is longer.
std::string shortened(std::string_view text, std::size_t columns);

// "4.2 s", "17 min", "3 h", "12 d": for people, who want to know about how long.
std::string about_seconds(double seconds);
// "0.4 ms": for something that is usually short.
std::string about_latency(double seconds);
// "104 KiB".
std::string about_bytes(std::uint64_t bytes);
// "2026-11-25T03:00:00.001Z" -> "2026-11-25 03:00:00"; other text as it is.
std::string date_and_time(std::string_view rfc3339);
// "1 message", "2 messages".
std::string counted(std::uint64_t count, std::string_view one);

// How many columns `text` takes, colours left out.
std::size_t columns_of(std::string_view text);

struct Cell {
  Cell(std::string said, Colour in = Colour::none) : text(std::move(said)), colour(in) {}
  Cell(const char* said) : text(said) {}
  std::string text;
  Colour colour = Colour::none;
};

// Lines of columns. The last column is as wide as it is, the others as their widest cell. A heading
// that begins with '>' makes a column that is aligned to the right.
class Table {
 public:
  explicit Table(std::vector<std::string> head);
  void add(std::vector<Cell> row) { rows_.push_back({std::move(row), false}); }
  // An indented line below the previous row, which does not widen any column.
  void note(std::string text) { rows_.push_back({{std::move(text)}, true}); }
  // Including the head; "" if there are no rows.
  std::string text() const;

 private:
  struct Row {
    std::vector<Cell> cells;
    bool note;
  };
  std::vector<Row> rows_;
  std::vector<bool> right_;
};

// "done 12 of 40" on one line of standard error that is rewritten again and again, if that is a
// terminal; otherwise nothing. Erased with the object.
class Progress {
 public:
  Progress();
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void show(const std::string& text);

 private:
  const bool wanted_;
  bool shown_ = false;
};

}  // namespace triggerctl
