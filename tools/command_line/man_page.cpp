#include "command_line/man_page.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "command_line/markdown_man.hpp"

namespace command_line {
namespace {

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return text;
}

// "\fB\-\-topic\fR \fITOPIC\fR"
std::string shown(const OptionInfo& option) {
  if (option.positional) return fmt::format("\\fI{}\\fR", roff(option.names.front()));
  std::string text;
  for (const std::string& name : option.names) {
    text += (text.empty() ? "" : ", ") + fmt::format("\\fB{}\\fR", roff(name));
  }
  if (!option.flag) {
    text += fmt::format(" \\fI{}\\fR", roff(upper(option.names.front().substr(2))));
  }
  return text;
}

std::string options_text(const std::vector<OptionInfo>& options) {
  std::string text;
  for (const OptionInfo& option : options) {
    text += fmt::format(".TP\n{}\n{}", shown(option), roff(option.description));
    if (!option.default_text.empty() && !option.flag) {
      text += fmt::format(" (default: {})", roff(option.default_text));
    }
    text += '\n';
  }
  return text;
}

std::string synopsis(const CommandInfo& command, const std::string& program) {
  std::string text = fmt::format("\\fB{}{}\\fR", roff(program),
                                 command.path.empty() ? "" : " " + roff(command.path));
  for (const OptionInfo& option : command.options) {
    if (option.positional) {
      const std::string name = shown(option) + (option.repeated ? "..." : "");
      text += option.required ? " " + name : " [" + name + "]";
    } else if (option.required) {
      text += " " + shown(option);
    }
  }
  const bool more =
      std::any_of(command.options.begin(), command.options.end(), [](const OptionInfo& o) {
        return !o.positional && !o.required && o.names.front() != "--help";
      });
  return text + (more ? " [\\fIoptions\\fR]" : "");
}

}  // namespace

std::string roff(const std::string& text) {
  std::string out;
  bool begins = true;
  for (const char c : text) {
    if (begins && (c == '.' || c == '\'')) out += "\\&";
    begins = c == '\n';
    switch (c) {
      case '\\':
        out += "\\e";
        break;
      case '-':
        out += "\\-";
        break;
      case '\'':
        out += "\\(aq";
        break;
      case '`':
        out += "\\(ga";
        break;
      case '^':
        out += "\\(ha";
        break;
      case '~':
        out += "\\(ti";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string man_page(const CommandInfo& program, const Page& page) {
  std::string out =
      fmt::format(".TH {} {} \"\" \"{}\"\n.SH NAME\n{} \\- {}\n.SH SYNOPSIS\n", upper(program.name),
                  page.section, page.version, program.name, roff(page.one_line));
  out += synopsis(program, program.name);
  out += program.commands.empty() ? "\n" : " \\fIcommand\\fR\n";
  out += ".SH DESCRIPTION\n" + man_of_markdown(page.description);
  out += ".SH OPTIONS\n" + options_text(program.options);
  if (!program.commands.empty()) out += ".SH COMMANDS\n";
  for_each(program, [&](const CommandInfo& command) {
    if (command.path.empty() || !command.commands.empty()) return;
    out += fmt::format(".SS \"{}\"\n{}.\n", synopsis(command, program.name),
                       roff(command.description));
    std::vector<OptionInfo> own;
    for (const OptionInfo& option : command.options) {
      if (std::find(option.names.begin(), option.names.end(), "--help") == option.names.end()) {
        own.push_back(option);
      }
    }
    out += options_text(own);
  });
  for (const auto& [heading, text] : page.sections) {
    out += fmt::format(".SH {}\n{}", roff(upper(heading)), man_of_markdown(text));
  }
  return out;
}

}  // namespace command_line
