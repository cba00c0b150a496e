// triggerd package list|enable|disable|pack|install|remove: packages from the command line.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "trigger/runtime.hpp"

namespace triggerd {

// Lives as long as `app` parses. [main thread]
class PackageCommands {
 public:
  // `config_file` is what the command line says of --config, once it is parsed.
  PackageCommands(CLI::App& app, const std::string& config_file);
  // Whether the command line names one of them.
  bool chosen() const { return group_->parsed(); }
  // Does it. 0: done; 1: it could not be, and standard error says why.
  int run() const;

 private:
  Result<> list() const;
  Result<> pack() const;
  Result<> install() const;

  const std::string& config_file_;
  CLI::App* group_;
  CLI::App* list_;
  CLI::App* enable_;
  CLI::App* disable_;
  CLI::App* pack_;
  CLI::App* install_;
  CLI::App* remove_;
  std::string name_;
  std::string folder_;
  std::string archive_;
  std::string values_file_;
  std::vector<std::string> values_;
  bool downgrade_ = false;
};

// What a runtime that runs can do with the packages of this configuration.
trigger::RuntimeOptions::Packages package_changes(const std::string& config_file);

}  // namespace triggerd
