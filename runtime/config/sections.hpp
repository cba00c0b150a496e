// The sections of a configuration file. Each function reads one kind of section from one file, adds
// what it found to Sections and reports errors. Checks that need more than one section or file are
// in validate.hpp.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "config/admin_section.hpp"
#include "config/alias.hpp"
#include "config/diagnostics.hpp"
#include "config/runtime_section.hpp"
#include "config/tls_stores.hpp"
#include "config/tree.hpp"
#include "config/trigger.hpp"

namespace triggerd::config {

struct AliasDraft {
  Alias alias;
  Place client_id_place;
  std::string truststore_shown;  // as it was written; empty if the alias names none
  std::string keystore_shown;
};

struct TriggerDraft {
  // A key that only MQTT 5 has, and where it was written.
  struct Mqtt5Key {
    std::string key;
    Place place;
  };
  Trigger trigger;
  Place name_place;
  Place alias_place;
  std::string alias_shown;  // as it was written; empty if the trigger names no alias
  std::vector<Mqtt5Key> mqtt5_keys;
  std::optional<Place> retain_as_published;  // the first place where it is true
};

// What has been read from all files so far. A draft with reported errors is kept, so that
// references to it are not reported as well.
struct Sections {
  RuntimeSection runtime;
  std::optional<std::filesystem::path> state_dir;
  std::optional<std::vector<std::filesystem::path>> plugin_dirs;
  std::optional<std::filesystem::path> packages_dir;
  LogSection log;
  InboxSection inbox;
  AdminSection admin;
  Place admin_listen_place;
  // "[log] level" -> where it was written: keys of these tables may be written only once.
  std::map<std::string, Place> written;
  std::vector<Truststore> truststores;
  std::vector<Keystore> keystores;
  std::vector<AliasDraft> aliases;
  std::vector<TriggerDraft> triggers;
  // Which packages a package requires: it may use their aliases.
  std::map<std::string, std::set<std::string>> requirements;
  // False once a file could not be read: whatever seems to be missing may be in that file.
  bool complete = true;
};

// `root` is the root table of `file`.
void read_sections(const SourceFile& file, const Node& root, Sections& sections);

// The parts of read_sections(), each with the table or table member that it reads.
void read_runtime(const SourceFile& file, const Node& table, Sections& sections);
void read_inbox(const SourceFile& file, const Node& table, Sections& sections);
void read_admin(const SourceFile& file, const Node& table, Sections& sections);
void read_log(const SourceFile& file, const Node& table, Sections& sections);
void read_alias(const SourceFile& file, const Member& member, Sections& sections);
void read_truststore(const SourceFile& file, const Member& member, Sections& sections);
void read_keystore(const SourceFile& file, const Member& member, Sections& sections);
void read_trigger(const SourceFile& file, const Node& table, Sections& sections);

class TableReader;

// Whether `key` should be read: it is in `table`, and was in no earlier table with the same title.
// If it was in an earlier one, reports it.
bool is_first(TableReader& table, std::string_view key, Sections& sections);

// The TLS keys of an alias; its servers must have been read.
void read_alias_tls(TableReader& reader, AliasDraft& draft);
// The keys of an alias that depend on its protocol; clean_session must have been read.
// (protocol.cpp)
void read_protocol(TableReader& reader, Alias& alias);
// What a trigger asks of the content of its messages. (content_section.cpp)
void read_content(TableReader& reader, Trigger& trigger);
// max_rate and delay of a trigger. (pacing.cpp)
void read_pacing(TableReader& reader, Trigger& trigger);
// The proxy of an alias. (proxy_section.cpp)
void read_proxy(TableReader& reader, Alias& alias);
// Reports a listener that other machines can reach without a token. (admin_section.cpp)
void validate_admin(const Sections& sections, Diagnostics& diagnostics);
// Which messages of a trigger count as the same. (deduplicate_section.cpp)
void read_deduplicate(TableReader& reader, TriggerDraft& draft);
// topics and shared_group of a trigger. (topics.cpp)
void read_topics(TableReader& reader, TriggerDraft& draft);

}  // namespace triggerd::config
