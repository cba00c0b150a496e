#include "command_docs/command_tree.hpp"

namespace command_docs {
namespace {

Option option_of(const CLI::Option& from) {
  Option option;
  option.positional = !from.nonpositional();
  if (option.positional) {
    option.names.push_back(from.get_name(true));
  } else {
    for (const std::string& name : from.get_lnames()) option.names.push_back("--" + name);
    for (const std::string& name : from.get_snames()) option.names.push_back("-" + name);
  }
  option.description = from.get_description();
  option.default_text = from.get_default_str();
  option.flag = from.get_items_expected_max() == 0;
  option.required = from.get_required();
  option.repeated = from.get_items_expected_max() > 1;
  return option;
}

// CLI11 asks for groups of subcommands with a filter that sees each.
std::vector<const CLI::App*> shown_commands(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* each) { return !each->get_group().empty(); });
}

Command command_of(const CLI::App& app, const std::string& path, const ValuesOf& values_of) {
  Command command{path, app.get_name(), app.get_description(), {}, {}};
  const auto options =
      app.get_options([](const CLI::Option* each) { return !each->get_group().empty(); });
  for (const CLI::Option* each : options) {
    Option option = option_of(*each);
    if (values_of && !option.flag) option.values = values_of(path, option);
    command.options.push_back(std::move(option));
  }
  for (const CLI::App* each : shown_commands(app)) {
    command.commands.push_back(command_of(
        *each, path.empty() ? each->get_name() : path + " " + each->get_name(), values_of));
  }
  return command;
}

}  // namespace

Command tree_of(const CLI::App& app, const ValuesOf& values_of) {
  return command_of(app, "", values_of);
}

void for_each(const Command& command, const std::function<void(const Command&)>& body) {
  body(command);
  for (const Command& each : command.commands) for_each(each, body);
}

}  // namespace command_docs
