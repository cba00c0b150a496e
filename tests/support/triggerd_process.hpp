// TriggerdProcess: the real runtime, with a configuration and a state folder of the test's own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/process.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::test {

struct CheckResult {
  Exit exit;
  std::string output;
};

// It is not started by its constructor, so that a test can start it again and again on the same
// state: start(), kill(), start().
//
// Threads: the test's own (see Process).
class TriggerdProcess {
 public:
  // `triggers_toml` is written to dir() / "triggers.toml". Where it has no [runtime] table one is
  // added at its end, with a name, `state_dir = "var"` and the plugins of this build, and where it
  // has no [admin] table one with a port that the kernel chooses, so that line numbers stay.
  // `launcher` is a program with arguments that becomes the command behind them, as "ip netns exec
  // NAME" does; empty: none.
  explicit TriggerdProcess(std::string_view triggers_toml,
                           std::map<std::string, std::string> env = {},
                           std::vector<std::string> launcher = {});

  // Where this build's plugins are, for a [runtime] table of the test's own.
  static std::filesystem::path plugin_dir();
  const TempDir& dir() const { return dir_; }
  std::filesystem::path config_file() const { return dir_ / "triggers.toml"; }
  void write_config(std::string_view triggers_toml);

  // Starts it, beside what is in `arguments`; the one before is killed where it still runs.
  void start(const std::vector<std::string>& arguments = {});
  // False where it ended before, or did not get there in time. output() then says why.
  [[nodiscard]] bool wait_until_running(Millis timeout = kPatience);
  // SIGTERM. nullopt: it has not ended within `timeout`.
  std::optional<Exit> stop(Millis timeout = kPatience);
  void kill();  // SIGKILL, and waits for the end

  // The first log line (of the text format) from index `from` on with this event that contains
  // every one of `parts`, such as "alias=plant".
  std::optional<OutputLine> wait_for_event(std::string_view event,
                                           std::initializer_list<std::string_view> parts = {},
                                           std::size_t from = 0, Millis timeout = kPatience);
  // Of the administrator's HTTP side, whose `listen` let the system choose it. nullopt: it does not
  // say that it listens.
  std::optional<std::uint16_t> admin_port();
  // Since the last start.
  Process& process() { return *process_; }
  std::string output() const { return process_->output(); }

  // Runs `triggerd --check` on the configuration, to its end.
  CheckResult check();

 private:
  std::vector<std::string> command() const;

  TempDir dir_;
  const std::map<std::string, std::string> env_;
  const std::vector<std::string> launcher_;
  std::unique_ptr<Process> process_;
};

// The event of a log line "TIME level event  text  [key=value ...]"; empty where it is none.
std::string_view event_of(std::string_view line);

}  // namespace triggerd::test
