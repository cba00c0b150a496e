#include "command_line/command.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <sstream>
#include <utility>

#include "command_line/command_tree.hpp"

namespace command_line {
namespace {

OptionInfo info_of(const CLI::Option& from) {
  OptionInfo info;
  info.positional = !from.nonpositional();
  if (info.positional) {
    info.names.push_back(from.get_name(true));
  } else {
    for (const std::string& name : from.get_lnames()) info.names.push_back("--" + name);
    for (const std::string& name : from.get_snames()) info.names.push_back("-" + name);
  }
  info.description = from.get_description();
  info.default_text = from.get_default_str();
  info.flag = from.get_items_expected_max() == 0;
  info.required = from.get_required();
  info.repeated = from.get_items_expected_max() > 1;
  return info;
}

// CLI11 hides what has no group.
constexpr const char* kHidden = "";

}  // namespace

Option Option::required() {
  option_->required();
  return *this;
}

Option Option::show_default() {
  option_->capture_default_str();
  return *this;
}

Option Option::one_value() {
  option_->allow_extra_args(false);
  return *this;
}

Option Option::range(int min, int max) {
  option_->check(CLI::Range(min, max));
  return *this;
}

Option Option::positive() {
  option_->check(CLI::PositiveNumber);
  return *this;
}

Option Option::non_negative() {
  option_->check(CLI::NonNegativeNumber);
  return *this;
}

Option Option::one_of(const std::vector<std::string>& words) {
  option_->check(CLI::IsMember(words));
  return *this;
}

Option Option::excludes(Option other) {
  option_->excludes(other.option_);
  return *this;
}

Option Option::needs(Option other) {
  option_->needs(other.option_);
  return *this;
}

Option Option::hidden() {
  option_->group(kHidden);
  return *this;
}

bool Option::given() const {
  return option_->count() > 0;
}

Option Command::option(const std::string& names, std::string& value,
                       const std::string& description) {
  return Option(app_->add_option(names, value, description));
}

Option Command::option(const std::string& names, int& value, const std::string& description) {
  return Option(app_->add_option(names, value, description));
}

Option Command::option(const std::string& names, std::uint32_t& value,
                       const std::string& description) {
  return Option(app_->add_option(names, value, description));
}

Option Command::option(const std::string& names, std::uint64_t& value,
                       const std::string& description) {
  return Option(app_->add_option(names, value, description));
}

Option Command::option(const std::string& names, double& value, const std::string& description) {
  return Option(app_->add_option(names, value, description));
}

Option Command::option(const std::string& names, std::vector<std::string>& values,
                       const std::string& description) {
  return Option(app_->add_option(names, values, description));
}

Option Command::option(const std::string& names, std::vector<std::uint64_t>& values,
                       const std::string& description) {
  return Option(app_->add_option(names, values, description));
}

Option Command::flag(const std::string& names, bool& value, const std::string& description) {
  return Option(app_->add_flag(names, value, description));
}

Command Command::command(const std::string& name, const std::string& description) {
  return Command(app_->add_subcommand(name, description));
}

void Command::require_command() {
  app_->require_subcommand(1);
}

void Command::fallthrough() {
  app_->fallthrough();
}

void Command::hidden() {
  app_->group(kHidden);
}

void Command::on_chosen(std::function<void()> call) {
  app_->final_callback(std::move(call));
}

bool Command::chosen() const {
  return app_->parsed();
}

const std::string& Command::name() const {
  return app_->get_name();
}

std::string Command::description() const {
  return app_->get_description();
}

std::vector<OptionInfo> Command::options() const {
  const auto shown = std::as_const(*app_).get_options(
      [](const CLI::Option* each) { return !each->get_group().empty(); });
  std::vector<OptionInfo> infos;
  infos.reserve(shown.size());
  for (const CLI::Option* each : shown) infos.push_back(info_of(*each));
  return infos;
}

std::vector<Command> Command::commands() const {
  const auto shown =
      app_->get_subcommands([](const CLI::App* each) { return !each->get_group().empty(); });
  std::vector<Command> commands;
  commands.reserve(shown.size());
  for (CLI::App* each : shown) commands.push_back(Command(each));
  return commands;
}

int EarlyExit::print() const {
  std::fputs(output.c_str(), stdout);
  std::fputs(error.c_str(), stderr);
  return code;
}

Program::Program(const std::string& description, const std::string& name)
    : app_(std::make_unique<CLI::App>(description, name)) {}

Program::~Program() = default;

void Program::version(const std::string& text) {
  app_->set_version_flag("--version", text);
}

void Program::error_prefix(const std::string& prefix) {
  app_->failure_message([prefix](const CLI::App* app, const CLI::Error& error) {
    return prefix + CLI::FailureMessage::simple(app, error);
  });
}

std::optional<EarlyExit> Program::parse(int argc, const char* const* argv) {
  try {
    app_->parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    std::ostringstream output;
    std::ostringstream message;
    EarlyExit early;
    early.code = app_->exit(error, output, message);
    early.missing = dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
    early.output = std::move(output).str();
    early.error = std::move(message).str();
    return early;
  }
}

}  // namespace command_line
