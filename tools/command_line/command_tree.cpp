#include "command_line/command_tree.hpp"

namespace command_line {
namespace {

CommandInfo info_of(Command command, const std::string& path, const ValuesOf& values_of) {
  CommandInfo info{path, command.name(), command.description(), command.options(), {}};
  for (OptionInfo& option : info.options) {
    if (values_of && !option.flag) option.values = values_of(path, option);
  }
  for (const Command each : command.commands()) {
    info.commands.push_back(
        info_of(each, path.empty() ? each.name() : path + " " + each.name(), values_of));
  }
  return info;
}

}  // namespace

CommandInfo tree_of(Command command, const ValuesOf& values_of) {
  return info_of(command, "", values_of);
}

void for_each(const CommandInfo& command, const std::function<void(const CommandInfo&)>& body) {
  body(command);
  for (const CommandInfo& each : command.commands) for_each(each, body);
}

}  // namespace command_line
