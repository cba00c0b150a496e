#include <fmt/format.h>

#include "command_line/completion.hpp"

namespace command_line {
namespace {

std::string values_of(const std::string& program, const Values& values) {
  switch (values.kind) {
    case Values::Kind::files:
      return " -F";
    case Values::Kind::folders:
      return " -x -a '(__fish_complete_directories)'";
    case Values::Kind::words:
      return " -x -a " + shell_quoted(values.words);
    case Values::Kind::names:
      return fmt::format(" -x -a '({} __names {} (commandline -opc)[2..-1] 2>/dev/null)'", program,
                         values.words);
    case Values::Kind::any:
      break;
  }
  return " -x";
}

}  // namespace

std::string fish_completion(const CommandInfo& program) {
  const std::string& name = program.name;
  std::string paths;
  for_each(program, [&](const CommandInfo& command) {
    if (!command.path.empty()) paths += " " + shell_quoted(command.path);
  });
  std::string out = fmt::format(
      "# fish completion of {0}, made by {0} itself.\n"
      "\n"
      "# Whether the line so far has come to this verb.\n"
      "function __{0}_at\n"
      "  set -l at ''\n"
      "  set -l skip ''\n"
      "  for word in (commandline -opc)[2..-1]\n"
      "    if test -n \"$skip\"\n"
      "      set skip ''\n"
      "      continue\n"
      "    end\n"
      "    if contains -- $word {1}\n"
      "      set skip 1\n"
      "    end\n"
      "    set -l further (string trim -- \"$at $word\")\n"
      "    if contains -- $further{2}\n"
      "      set at $further\n"
      "    end\n"
      "  end\n"
      "  test \"$at\" = \"$argv[1]\"\n"
      "end\n"
      "\n"
      "complete -c {0} -f\n",
      name, valued_options(program, " "), paths);
  for_each(program, [&](const CommandInfo& command) {
    const std::string at =
        fmt::format("complete -c {} -n \"__{}_at {}\"", name, name, shell_quoted(command.path));
    for (const CommandInfo& each : command.commands) {
      out += fmt::format("{} -a {} -d {}\n", at, each.name, shell_quoted(each.description));
    }
    for (const OptionInfo& option : command.options) {
      if (option.positional) {
        if (option.values.kind == Values::Kind::any) continue;
        out += at + values_of(name, option.values) + "\n";
        continue;
      }
      // The program's own options may follow every verb.
      std::string line = command.path.empty() ? "complete -c " + name : at;
      for (const std::string& each : option.names) {
        line += each.starts_with("--") ? " -l " + each.substr(2) : " -s " + each.substr(1);
      }
      if (!option.flag) line += values_of(name, option.values);
      out += fmt::format("{} -d {}\n", line, shell_quoted(option.description));
    }
  });
  return out;
}

}  // namespace command_line
