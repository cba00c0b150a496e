#include "support/triggerd_process.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <stdexcept>

namespace triggerd::test {
namespace {

bool has_table(std::string_view toml, const std::string& header) {
  return toml.starts_with(header) || toml.find("\n" + header) != std::string_view::npos;
}

std::string_view next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  const std::string_view word = line.substr(0, line.find(' '));
  line.remove_prefix(word.size());
  return word;
}

}  // namespace

std::string_view event_of(std::string_view line) {
  next_word(line);
  next_word(line);
  const std::string_view event = next_word(line);
  return event.find('.') == std::string_view::npos ? std::string_view() : event;
}

TriggerdProcess::TriggerdProcess(std::string_view triggers_toml,
                                 std::map<std::string, std::string> env,
                                 std::vector<std::string> launcher)
    : env_(std::move(env)), launcher_(std::move(launcher)) {
  write_config(triggers_toml);
}

std::filesystem::path TriggerdProcess::plugin_dir() {
  return TRIGGERD_PLUGIN_DIR;
}

void TriggerdProcess::write_config(std::string_view triggers_toml) {
  std::string text(triggers_toml);
  if (!has_table(text, "[runtime]")) {
    text +=
        fmt::format("\n[runtime]\nname = \"test\"\nstate_dir = \"var\"\nplugin_dirs = [\"{}\"]\n",
                    plugin_dir().string());
  }
  // Every runtime has a port of its own.
  if (!has_table(text, "[admin]")) text += "\n[admin]\nlisten = \"127.0.0.1:0\"\n";
  dir_.write("triggers.toml", text);
}

std::vector<std::string> TriggerdProcess::command() const {
  std::vector<std::string> argv = launcher_;
  argv.insert(argv.end(), {TRIGGERD_BINARY, "--config", config_file().string()});
  return argv;
}

void TriggerdProcess::start(const std::vector<std::string>& arguments) {
  std::vector<std::string> argv = command();
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  process_.reset();  // the old one's end comes before the new one's start
  process_ = std::make_unique<Process>(std::move(argv), ProcessOptions{dir_.path(), env_});
}

bool TriggerdProcess::wait_until_running(Millis timeout) {
  return wait_for_event("runtime.ready", {}, 0, timeout).has_value();
}

std::optional<Exit> TriggerdProcess::stop(Millis timeout) {
  process_->signal(SIGTERM);
  return process_->wait(timeout);
}

void TriggerdProcess::kill() {
  process_->kill();
  process_->wait();
}

std::optional<std::uint16_t> TriggerdProcess::admin_port() {
  const auto line = wait_for_event("admin.listening", {"address="});
  if (!line) return std::nullopt;
  return static_cast<std::uint16_t>(std::stoi(line->text.substr(line->text.rfind(':') + 1)));
}

std::optional<OutputLine> TriggerdProcess::wait_for_event(
    std::string_view event, std::initializer_list<std::string_view> parts, std::size_t from,
    Millis timeout) {
  return process_->wait_for_line(
      [&](const std::string& line) {
        return event_of(line) == event &&
               std::all_of(parts.begin(), parts.end(), [&](std::string_view part) {
                 return line.find(part) != std::string::npos;
               });
      },
      from, timeout);
}

CheckResult TriggerdProcess::check() {
  std::vector<std::string> argv = command();
  argv.emplace_back("--check");
  Process process(std::move(argv), ProcessOptions{dir_.path(), env_});
  const std::optional<Exit> exit = process.wait();
  if (!exit) throw std::runtime_error("triggerd --check did not end: " + process.output());
  return {*exit, process.output()};
}

}  // namespace triggerd::test
