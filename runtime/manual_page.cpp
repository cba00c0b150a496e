#include "manual_page.hpp"

#include <fmt/format.h>

#include "command_line/man_page.hpp"
#include "version.hpp"

namespace triggerd {
namespace {

constexpr const char* kDescription =
    "`triggerd` runs services, functions in plugins, when MQTT messages arrive. What it connects "
    "to "
    "and calls is in its configuration: see `triggers.toml`(5). While it runs it is operated with "
    "`triggerctl`(1).\n\n"
    "Without `--check`, `--probe` or a command it runs until SIGTERM. A server that cannot be "
    "reached "
    "is no reason to end.\n\n"
    "`triggerctl package` does what `triggerd package` does, and applies it to a triggerd that "
    "runs.\n";
constexpr const char* kSignals =
    "| signal | meaning |\n| --- | --- |\n"
    "| `SIGTERM`, `SIGINT` | it takes no more messages, finishes what is in flight, disconnects "
    "and "
    "ends within `[runtime] drain_timeout`; a second one ends it at once, and nothing that was "
    "acknowledged is lost |\n"
    "| `SIGHUP` | it reads the configuration again: all of it is valid and what differs is "
    "applied, or "
    "nothing changes and the log says why |\n";
constexpr const char* kExitStatus =
    "| code | meaning |\n| --- | --- |\n"
    "| `0` | it ended as it was asked to |\n"
    "| `1` | it could not go on; the log says why |\n"
    "| `2` | the command line, the configuration or a plugin is wrong |\n";

}  // namespace

int print_manual_page(command_line::Command root) {
  command_line::CommandInfo program = command_line::tree_of(root);
  program.name = "triggerd";  // whatever it was called as
  fmt::print("{}",
             command_line::man_page(
                 program, {.section = "8",
                           .version = std::string("triggerd ") + kVersion,
                           .one_line = "runs plugin services on MQTT messages",
                           .description = kDescription,
                           .sections = {{"Signals", kSignals},
                                        {"Exit status", kExitStatus},
                                        {"See also", "`triggerctl`(1), `triggers.toml`(5)\n"}}}));
  return 0;
}

}  // namespace triggerd
