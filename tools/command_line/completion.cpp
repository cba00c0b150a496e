#include "command_line/completion.hpp"

#include <fmt/format.h>

#include <map>
#include <set>

namespace command_line {
namespace {

std::string joined(const std::vector<std::string>& parts, const std::string& separator) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : separator) + part;
  return text;
}

// The program's own options may follow every verb.
std::vector<const OptionInfo*> options_at(const CommandInfo& program, const CommandInfo& command) {
  std::vector<const OptionInfo*> all;
  std::set<std::string> seen;
  for (const CommandInfo* from : {&command, &program}) {
    for (const OptionInfo& option : from->options) {
      if (!option.positional && seen.insert(option.names.front()).second) all.push_back(&option);
    }
  }
  return all;
}

const OptionInfo* positional_of(const CommandInfo& command) {
  for (const OptionInfo& option : command.options) {
    if (option.positional) return &option;
  }
  return nullptr;
}

std::string bash_values(const std::string& program, const Values& values) {
  switch (values.kind) {
    case Values::Kind::files:
      return "mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")";
    case Values::Kind::folders:
      return "mapfile -t COMPREPLY < <(compgen -d -- \"$cur\")";
    case Values::Kind::words:
      return fmt::format("mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$cur\")", values.words);
    case Values::Kind::names:
      return fmt::format(
          "mapfile -t COMPREPLY < <({} __names {} \"${{COMP_WORDS[@]:1}}\" "
          "2>/dev/null)\n"
          "      _{}_beginning",
          program, values.words, program);
    case Values::Kind::any:
      break;
  }
  return "COMPREPLY=()";
}

std::string zsh_values(const std::string& program, const Values& values) {
  switch (values.kind) {
    case Values::Kind::files:
      return "_files";
    case Values::Kind::folders:
      return "_files -/";
    case Values::Kind::words:
      return "compadd -- " + values.words;
    case Values::Kind::names:
      return fmt::format("compadd -- ${{(f)\"$({} __names {} ${{words[2,-1]}} 2>/dev/null)\"}}",
                         program, values.words);
    case Values::Kind::any:
      break;
  }
  return "return 1";
}

// The options that take a value, by what that may be. An option means the same wherever it stands.
std::map<std::string, std::vector<std::string>> options_by_values(
    const CommandInfo& program, const std::function<std::string(const Values&)>& text) {
  std::map<std::string, std::vector<std::string>> all;
  std::set<std::string> seen;
  for_each(program, [&](const CommandInfo& command) {
    for (const OptionInfo& option : command.options) {
      if (option.positional || option.flag || !seen.insert(option.names.front()).second) continue;
      auto& names = all[text(option.values)];
      names.insert(names.end(), option.names.begin(), option.names.end());
    }
  });
  return all;
}

std::string known_paths(const CommandInfo& program, const std::string& separator) {
  std::string text;
  for_each(program, [&](const CommandInfo& command) {
    if (command.path.empty()) return;
    text += (text.empty() ? "" : separator) + shell_quoted(command.path);
  });
  return text;
}

// In one of zsh's NAME:DESCRIPTION.
std::string zsh_described(const std::string& name, const std::string& description) {
  std::string text = name + ':';
  for (const char c : description) text += c == ':' ? std::string("\\:") : std::string(1, c);
  return shell_quoted(text);
}

}  // namespace

std::string shell_quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string valued_options(const CommandInfo& program, const std::string& separator) {
  std::vector<std::string> names;
  std::set<std::string> seen;
  for_each(program, [&](const CommandInfo& command) {
    for (const OptionInfo& option : command.options) {
      if (option.positional || option.flag) continue;
      for (const std::string& name : option.names) {
        if (seen.insert(name).second) names.push_back(name);
      }
    }
  });
  return joined(names, separator);
}

std::string bash_completion(const CommandInfo& program) {
  const std::string& name = program.name;
  std::string out = fmt::format(
      "# bash completion of {0}, made by {0} itself.\n"
      "\n"
      "# Keeps what begins as the word does that is completed.\n"
      "_{0}_beginning() {{\n"
      "  local each kept=()\n"
      "  for each in \"${{COMPREPLY[@]}}\"; do [[ $each == \"$cur\"* ]] && kept+=(\"$each\"); "
      "done\n"
      "  COMPREPLY=(\"${{kept[@]}}\")\n"
      "}}\n"
      "\n"
      "_{0}() {{\n"
      "  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD - 1]}}\n"
      "  local path='' word i skip=''\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    word=${{COMP_WORDS[i]}}\n"
      "    if [[ -n $skip ]]; then\n"
      "      skip=''\n"
      "      continue\n"
      "    fi\n"
      "    case $word in\n"
      "      {1}) skip=1 ;;\n"
      "    esac\n"
      "    case \"${{path:+$path }}$word\" in\n"
      "      {2}) path=${{path:+$path }}$word ;;\n"
      "    esac\n"
      "  done\n"
      "  case $prev in\n",
      name, valued_options(program, " | "), known_paths(program, " | "));
  for (const auto& [action, names] : options_by_values(
           program, [&](const Values& values) { return bash_values(name, values); })) {
    out += fmt::format("    {})\n      {}\n      return\n      ;;\n", joined(names, " | "), action);
  }
  out += "  esac\n  case $path in\n";
  for_each(program, [&](const CommandInfo& command) {
    std::vector<std::string> options;
    for (const OptionInfo* option : options_at(program, command)) {
      options.insert(options.end(), option->names.begin(), option->names.end());
    }
    std::vector<std::string> commands;
    for (const CommandInfo& each : command.commands) commands.push_back(each.name);
    out += fmt::format("    {})\n", shell_quoted(command.path));
    out += fmt::format(
        "      if [[ $cur == -* ]]; then\n"
        "        mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$cur\")\n"
        "        return\n"
        "      fi\n",
        joined(options, " "));
    const OptionInfo* const positional = positional_of(command);
    if (!commands.empty()) {
      out += fmt::format("      mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$cur\")\n",
                         joined(commands, " "));
    } else if (positional != nullptr) {
      out += fmt::format("      {}\n", bash_values(name, positional->values));
    }
    out += "      ;;\n";
  });
  return out + fmt::format("  esac\n}}\ncomplete -o filenames -F _{0} {0}\n", name);
}

std::string zsh_completion(const CommandInfo& program) {
  const std::string& name = program.name;
  std::string out = fmt::format(
      "#compdef {0}\n"
      "# zsh completion of {0}, made by {0} itself.\n"
      "\n"
      "_{0}() {{\n"
      "  local at='' word skip='' i\n"
      "  local -a commands options\n"
      "  for ((i = 2; i < CURRENT; i++)); do\n"
      "    word=$words[i]\n"
      "    if [[ -n $skip ]]; then\n"
      "      skip=''\n"
      "      continue\n"
      "    fi\n"
      "    case $word in\n"
      "      ({1}) skip=1 ;;\n"
      "    esac\n"
      "    case \"${{at:+$at }}$word\" in\n"
      "      ({2}) at=\"${{at:+$at }}$word\" ;;\n"
      "    esac\n"
      "  done\n"
      "  case $words[CURRENT-1] in\n",
      name, valued_options(program, "|"), known_paths(program, "|"));
  for (const auto& [action, names] :
       options_by_values(program, [&](const Values& values) { return zsh_values(name, values); })) {
    out += fmt::format("    ({})\n      {}\n      return\n      ;;\n", joined(names, "|"), action);
  }
  out += "  esac\n  case $at in\n";
  for_each(program, [&](const CommandInfo& command) {
    out += fmt::format("    ({})\n      options=(\n", shell_quoted(command.path));
    for (const OptionInfo* option : options_at(program, command)) {
      for (const std::string& each : option->names) {
        out += fmt::format("        {}\n", zsh_described(each, option->description));
      }
    }
    out += "      )\n";
    if (!command.commands.empty()) {
      out += "      commands=(\n";
      for (const CommandInfo& each : command.commands) {
        out += fmt::format("        {}\n", zsh_described(each.name, each.description));
      }
      out += "      )\n";
    }
    const OptionInfo* const positional = positional_of(command);
    if (positional != nullptr && positional->values.kind != Values::Kind::any) {
      out += fmt::format(
          "      if [[ $words[CURRENT] != -* ]]; then\n"
          "        {}\n"
          "        return\n"
          "      fi\n",
          zsh_values(name, positional->values));
    }
    out += "      ;;\n";
  });
  return out + fmt::format(
                   "  esac\n"
                   "  if [[ $words[CURRENT] == -* ]]; then\n"
                   "    _describe option options\n"
                   "  elif (( $#commands )); then\n"
                   "    _describe command commands\n"
                   "  fi\n"
                   "}}\n"
                   "\n"
                   "_{0} \"$@\"\n",
                   name);
}

}  // namespace command_line
