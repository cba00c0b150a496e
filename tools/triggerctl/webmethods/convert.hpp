// Converts what Integration Server has to what triggerd has. Each difference between the two is
// reported twice: as a remark, and as a comment at its place.
#pragma once

#include <fmt/core.h>

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "webmethods/exported.hpp"
#include "webmethods/names.hpp"
#include "webmethods/toml.hpp"

namespace triggerd::webmethods {

class Conversion {
 public:
  Conversion(const Exported& exported, const Options& options, Findings& findings)
      : exported_(exported), options_(options), findings_(findings) {}

  // Use the result only if `findings` has no errors afterwards.
  Imported run() &&;

 private:
  // The entry that is being written: its name in remarks, and its line.
  struct Entry {
    std::string what;
    unsigned line;
  };

  template <class... Args>
  void differs(const Entry& entry, fmt::format_string<Args...> format, Args&&... args) {
    const std::string text = fmt::format(format, std::forward<Args>(args)...);
    toml_.comment("DIFFERS: " + text);
    differences_.push_back({entry.line, entry.what + ": " + text});
  }
  template <class... Args>
  void error(unsigned line, const Entry& entry, fmt::format_string<Args...> format,
             Args&&... args) {
    findings_.errors.push_back(
        {line, entry.what + ": " + fmt::format(format, std::forward<Args>(args)...)});
  }

  void write_runtime();
  void write_stores();
  void write_truststore(const ExportedStore& store);
  void write_keystore(const ExportedStore& store);
  void write_name(const Entry& entry, const Read<std::string>& name, const std::string& given);
  void write_members(const std::string& package);
  // convert_packages.cpp
  void plan_packages();
  void write_package(const Entry& entry, const std::string& package);
  std::vector<ImportedPackage> write_packages();
  ImportedPackage write_one_package(const std::string& package, const std::string& name);
  std::string package_of(const ExportedAlias& alias) const;
  std::string package_of(const ExportedTrigger& trigger) const;
  const ExportedAlias* alias_of(const ExportedTrigger& trigger) const;
  // convert_alias.cpp
  void write_alias(const ExportedAlias& alias, const std::string& name);
  void write_host(const Entry& entry, const ExportedAlias& alias);
  void write_session(const Entry& entry, const ExportedAlias& alias);
  void write_login(const Entry& entry, const ExportedAlias& alias, const std::string& name);
  void write_tls(const Entry& entry, const ExportedAlias& alias);
  void write_will(const Entry& entry, const ExportedAlias& alias, const std::string& name);
  bool is_tls(const ExportedAlias& alias) const;
  // convert_trigger.cpp
  void write_trigger(const ExportedTrigger& trigger, const std::string& name);
  void write_topics(const Entry& entry, const ExportedTrigger& trigger);
  void write_service(const Entry& entry, const Read<std::string>& service, std::string_view key);
  void write_processing(const Entry& entry, const ExportedTrigger& trigger);
  void write_retry(const Entry& entry, const ExportedTrigger& trigger);

  const Exported& exported_;
  const Options& options_;
  Findings& findings_;
  TomlWriter toml_;
  std::vector<Remark> differences_;
  Names truststores_;
  Names keystores_;
  Names aliases_;
  Names triggers_;
  std::vector<std::string> alias_names_;    // of all, in their order
  std::vector<std::string> trigger_names_;  //
  // The packages that each package requires; without cycles.
  std::map<std::string, std::set<std::string>> required_;
  // Aliases that cannot stay in their package, and the package that also uses them.
  std::map<const ExportedAlias*, std::string> moved_;
  std::vector<std::pair<std::string, std::string>> client_ids_;  // server and client id
};

}  // namespace triggerd::webmethods
