// triggerd: command line, signals, exit codes. Everything else is in the folders beside this file.
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "check.hpp"
#include "command_line/command.hpp"
#include "config/load.hpp"
#include "manual_page.hpp"
#include "package/package.hpp"
#include "package_commands.hpp"
#include "plugin/isolation/worker.hpp"
#include "run.hpp"
#include "version.hpp"

using namespace triggerd;

int main(int argc, char** argv) {
  command_line::Program program("triggerd: runs plugin services on MQTT messages");
  command_line::Command root = program.root();
  std::string file = "triggers.toml";
  std::string plugin;
  bool is_private = false;
  bool check_only = false;
  bool manual_page = false;
  root.option("--config", file, "the configuration file").show_default();
  root.flag("--check", check_only, "check the configuration and every plugin, then exit");
  root.option("--probe", plugin, "load this plugin file, print what it contains, then exit");
  root.flag("--manual-page", manual_page, "print the manual page, then exit").hidden();
  const PackageCommands packages(root, file);
  bool worker = false;  // only triggerd itself uses this
  root.flag("--worker", worker).hidden();
  root.flag("--private", is_private).hidden();
  program.version(std::string("triggerd ") + kVersion);
  if (const auto exit = program.parse(argc, argv)) {
    return exit->print() == 0 ? kClean : kConfiguration;
  }
  // Whoever started it may ignore this, and then nobody learns how a program has ended.
  std::signal(SIGCHLD, SIG_DFL);
  if (worker) return plugin::isolation::run_worker();
  if (manual_page) return print_manual_page(root);
  if (!plugin.empty()) return probe(plugin, is_private);
  if (packages.chosen()) return packages.run();
  if (!check_only) {
    static_cast<void>(own_signals());  // so that one during the start ends it in good order, too
    // A plugin may change the working directory, and files are read again.
    file = std::filesystem::absolute(file).string();
  }
  auto config = config::load(file, config::process_environment(), package::source());
  if (!config) return report(config.error());
  if (check_only) return check(file, *config);
  return run(file, *std::move(config));
}
