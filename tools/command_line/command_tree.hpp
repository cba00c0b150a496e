// A command line as data, from which completion scripts and manual pages are generated.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "command_line/command.hpp"

namespace command_line {

// The values that an option may have.
struct Values {
  enum class Kind { any, files, folders, words, names };
  Kind kind = Kind::any;
  std::string words = {};  // words: separated by spaces; names: their kind, for the program
};

struct OptionInfo {
  std::vector<std::string> names;  // "--topic", "-o"; a positional has one without dashes
  std::string description;
  std::string default_text;  // empty: none worth saying
  bool positional = false;
  bool flag = false;  // takes no value
  bool required = false;
  bool repeated = false;
  Values values = {};
};

struct CommandInfo {
  std::string path;  // "alias create"; the program's own is empty
  std::string name;
  std::string description;
  std::vector<OptionInfo> options;  // hidden ones left out
  std::vector<CommandInfo> commands;
};

// Returns the values of an option of the command with that path.
using ValuesOf = std::function<Values(const std::string& path, const OptionInfo& option)>;

CommandInfo tree_of(Command command, const ValuesOf& values_of = {});

// The command itself, and all below it.
void for_each(const CommandInfo& command, const std::function<void(const CommandInfo&)>& body);

}  // namespace command_line
