// triggerctl, the command-line tool. Each group of verbs has a file: those that need no triggerd
// beside this one, those that ask one in live/.
#include <cstdio>
#include <exception>
#include <string_view>

#include "command_line.hpp"
#include "import_verbs.hpp"
#include "live/live_verbs.hpp"
#include "plugin_verbs.hpp"
#include "shell_verbs.hpp"

int main(int argc, char** argv) try {
  if (argc > 2 && std::string_view(argv[1]) == "__names") {
    return triggerctl::print_names(argv[2], {argv + 3, argv + argc});
  }
  triggerctl::CommandLine line;
  triggerctl::add_status_verbs(line);
  triggerctl::add_alias_verbs(line);
  triggerctl::add_trigger_verbs(line);
  triggerctl::add_live_plugin_verbs(line);
  triggerctl::add_plugin_verbs(line);
  triggerctl::add_package_verbs(line);
  triggerctl::add_store_verbs(line);
  triggerctl::add_publish_verb(line);
  triggerctl::add_dead_letter_verbs(line);
  triggerctl::add_runtime_verbs(line);
  triggerctl::add_import_verbs(line);
  triggerctl::add_shell_verbs(line);
  return line.run(argc, argv);
} catch (const std::exception& error) {
  std::fprintf(stderr, "triggerctl: error: %s\n", error.what());
  return triggerctl::kFailed;
}
