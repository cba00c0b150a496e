// triggerd package list|enable|disable|pack|install|remove: packages from the command line.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "command_line/command.hpp"
#include "control/services/packages.hpp"

namespace triggerd {

// Lives as long as the command line is parsed. [main thread]
class PackageCommands {
 public:
  // `config_file` is the value of --config, once the command line is parsed.
  PackageCommands(command_line::Command root, const std::string& config_file);
  // Whether the command line names one of them.
  bool chosen() const { return group_.chosen(); }
  // Runs that command. 0: done; 1: it failed, and standard error says why.
  int run() const;

 private:
  Result<> list() const;
  Result<> pack() const;
  Result<> install() const;

  const std::string& config_file_;
  command_line::Command group_;
  command_line::Command list_;
  command_line::Command enable_;
  command_line::Command disable_;
  command_line::Command pack_;
  command_line::Command install_;
  command_line::Command remove_;
  std::string name_;
  std::string folder_;
  std::string archive_;
  std::string values_file_;
  std::vector<std::string> values_;
  bool downgrade_ = false;
};

// What a running runtime can do with the packages of this configuration.
control::PackageChanges package_changes(const std::string& config_file);

}  // namespace triggerd
