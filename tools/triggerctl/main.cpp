// triggerctl: what a user types. Each group of verbs is a file beside this one.
#include <cstdio>
#include <exception>

#include "command_line.hpp"
#include "import_verbs.hpp"
#include "plugin_verbs.hpp"

int main(int argc, char** argv) try {
  triggerctl::CommandLine line;
  triggerctl::add_import_verbs(line);
  triggerctl::add_plugin_verbs(line);
  return line.run(argc, argv);
} catch (const std::exception& error) {
  std::fprintf(stderr, "triggerctl: error: %s\n", error.what());
  return triggerctl::kFailed;
}
