// A manual page of a program, in the macros of man(7).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "command_line/command_tree.hpp"

namespace command_line {

struct Page {
  std::string section;   // "1"
  std::string version;   // "triggerd 0.1.0"
  std::string one_line;  // what follows the name
  // In markdown: the text before the options, and sections after them, each with its heading.
  std::string description;
  std::vector<std::pair<std::string, std::string>> sections;
};

std::string man_page(const CommandInfo& program, const Page& page);

// `text` with everything escaped that roff would interpret.
std::string roff(const std::string& text);

}  // namespace command_line
