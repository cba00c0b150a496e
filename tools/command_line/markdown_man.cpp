#include "command_line/markdown_man.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "command_line/man_page.hpp"

namespace command_line {
namespace {

std::string trimmed(std::string_view text) {
  const auto from = text.find_first_not_of(" \t");
  if (from == std::string_view::npos) return "";
  return std::string(text.substr(from, text.find_last_not_of(" \t") - from + 1));
}

// Code and emphasis in bold, links as their text.
std::string inline_of(std::string_view text) {
  std::string out;
  std::string plain;
  const auto flush = [&] {
    out += roff(plain);
    plain.clear();
  };
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == '`') {
      const std::size_t end = text.find('`', i + 1);
      if (end != std::string_view::npos) {
        flush();
        out += fmt::format("\\fB{}\\fR", roff(std::string(text.substr(i + 1, end - i - 1))));
        i = end + 1;
        continue;
      }
    }
    if (text.substr(i, 2) == "**") {
      const std::size_t end = text.find("**", i + 2);
      if (end != std::string_view::npos) {
        flush();
        out += fmt::format("\\fB{}\\fR", inline_of(text.substr(i + 2, end - i - 2)));
        i = end + 2;
        continue;
      }
    }
    if (text[i] == '[') {
      const std::size_t middle = text.find("](", i);
      const std::size_t end = text.find(')', i);
      const std::size_t close = text.find(']', i);
      if (middle != std::string_view::npos && close == middle && end != std::string_view::npos) {
        flush();
        out += inline_of(text.substr(i + 1, middle - i - 1));
        i = end + 1;
        continue;
      }
    }
    plain += text[i++];
  }
  flush();
  return out;
}

// A line of text must not begin like a roff request.
std::string line_of(std::string_view text) {
  std::string line = inline_of(text);
  return line.starts_with('.') || line.starts_with('\'') ? "\\&" + line : line;
}

// "| a | b |", in which \| is a bar that stands within a cell.
std::vector<std::string> cells_of(std::string_view row) {
  std::vector<std::string> cells;
  std::string cell;
  for (std::size_t i = 1; i < row.size(); ++i) {
    if (row[i] == '\\' && i + 1 < row.size() && row[i + 1] == '|') {
      cell += '|';
      ++i;
    } else if (row[i] == '|') {
      cells.push_back(trimmed(cell));
      cell.clear();
    } else {
      cell += row[i];
    }
  }
  return cells;
}

class Writer {
 public:
  void add(std::string_view line) {
    if (code_) {
      add_code(line);
    } else if (line.starts_with("```")) {
      end_table();
      code_ = true;
      out_ += ".PP\n.RS 4\n.EX\n";
    } else if (line.starts_with('|')) {
      add_row(line);
    } else {
      end_table();
      add_text(line);
    }
  }
  std::string finish() {
    end_table();
    return std::move(out_);
  }

 private:
  void add_code(std::string_view line) {
    if (line.starts_with("```")) {
      code_ = false;
      fresh_ = true;
      out_ += ".EE\n.RE\n";
    } else {
      out_ += roff(std::string(line)) + '\n';
    }
  }

  void add_text(std::string_view line) {
    if (line.empty()) {
      fresh_ = true;
    } else if (line.starts_with("### ")) {
      out_ += ".SS " + inline_of(line.substr(4)) + '\n';
      fresh_ = false;
    } else if (line.starts_with("## ")) {
      out_ += ".SH " + inline_of(line.substr(3)) + '\n';
      fresh_ = false;
    } else if (line.starts_with("- ")) {
      out_ += ".IP \\(bu 2\n" + line_of(line.substr(2)) + '\n';
      fresh_ = false;
    } else if (!line.starts_with("# ")) {
      if (fresh_ && !out_.empty()) out_ += ".PP\n";
      fresh_ = false;
      out_ += line_of(line) + '\n';
    }
  }

  void add_row(std::string_view line) {
    auto cells = cells_of(line);
    const bool rule = line.find_first_not_of("|-: ") == std::string_view::npos;
    if (rule && !head_.empty()) return;
    if (head_.empty()) {
      head_ = std::move(cells);
      head_.resize(std::max<std::size_t>(head_.size(), 1));
      return;
    }
    if (cells.empty()) return;
    out_ += ".TP\n" + line_of(cells.front()) + '\n';
    // The columns between the first and the last describe it: its type, its default.
    std::string between;
    for (std::size_t i = 1; i + 1 < cells.size(); ++i) {
      if (cells[i].empty()) continue;
      const std::string name = i < head_.size() ? head_[i] : "";
      between +=
          (between.empty() ? "" : "; ") + (i > 1 && !name.empty() ? name + " " : "") + cells[i];
    }
    if (!between.empty()) out_ += line_of("(" + between + ")") + "\n.br\n";
    if (cells.size() > 1) out_ += line_of(cells.back()) + '\n';
  }

  void end_table() {
    if (head_.empty()) return;
    head_.clear();
    fresh_ = true;
  }

  std::string out_;
  std::vector<std::string> head_;  // of the table that is read
  bool code_ = false;
  bool fresh_ = false;  // a paragraph begins with the next line
};

}  // namespace

std::string man_of_markdown(std::string_view markdown) {
  Writer writer;
  while (!markdown.empty()) {
    const std::size_t end = std::min(markdown.find('\n'), markdown.size());
    writer.add(markdown.substr(0, end));
    markdown.remove_prefix(std::min(end + 1, markdown.size()));
  }
  return writer.finish();
}

std::string man_page_of_markdown(std::string_view markdown, const std::string& name,
                                 const std::string& section, const std::string& version,
                                 const std::string& one_line) {
  return fmt::format(".TH {} {} \"\" \"{}\"\n.SH NAME\n{} \\- {}\n.SH DESCRIPTION\n{}", name,
                     section, version, name, roff(one_line), man_of_markdown(markdown));
}

}  // namespace command_line
