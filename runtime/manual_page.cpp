#include "manual_page.hpp"

#include <fmt/format.h>

#include "command_line/man_page.hpp"
#include "version.hpp"

namespace triggerd {
namespace {

constexpr const char* kDescription =
    "`triggerd` runs services, which are functions in plugins, when MQTT messages arrive. Its "
    "configuration says what it connects to and calls: see `triggers.toml`(5). A running triggerd "
    "is operated with `triggerctl`(1).\n\n"
    "Without `--check`, `--probe` or a command it runs until SIGTERM. It keeps running when a "
    "server cannot be reached.\n\n"
    "`triggerctl package` does what `triggerd package` does, and applies it to a running "
    "triggerd.\n";
constexpr const char* kSignals =
    "| signal | meaning |\n| --- | --- |\n"
    "| `SIGTERM`, `SIGINT` | it stops receiving, finishes the messages in flight, disconnects and "
    "ends within `[runtime] drain_timeout`; a second signal ends it at once, and nothing that was "
    "acknowledged is lost |\n"
    "| `SIGHUP` | it reads the configuration again: if all of it is valid, the differences are "
    "applied, otherwise nothing changes and the log says why |\n";
constexpr const char* kExitStatus =
    "| code | meaning |\n| --- | --- |\n"
    "| `0` | it ended as requested |\n"
    "| `1` | it could not continue; the log says why |\n"
    "| `2` | the command line, the configuration or a plugin is wrong |\n";

}  // namespace

int print_manual_page(command_line::Command root) {
  command_line::CommandInfo program = command_line::tree_of(root);
  program.name = "triggerd";  // whatever name it was called by
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
