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
  // `config_file` is what the command line says of --config, once it is parsed.
  PackageCommands(command_line::Command root, const std::string& config_file);
  // Whether the command line names one of them.
  bool chosen() const { return group_.chosen(); }
  // Does it. 0: done; 1: it could not be, and standard error says why.
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

// What a runtime that runs can do with the packages of this configuration.
control::PackageChanges package_changes(const std::string& config_file);

}  // namespace triggerd
