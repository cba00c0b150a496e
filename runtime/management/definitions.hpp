// Definitions of aliases and triggers: as they are shown, and how they are changed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "management/errors.hpp"

namespace triggerd::management {

// What an alias or trigger is, as it was written.
struct Definition {
  std::string name;
  std::string package;  // that carries it; empty: none
  std::string file;     // where it stands
  std::uint32_t line = 0;
  // managed: made by an administrator, can be edited; file, package: read-only.
  enum class Origin { managed, file, package };
  Origin origin = Origin::file;
  // Its keys with their values as they were written, ${NAME} not expanded, as one JSON object and
  // as TOML. Secrets are left out: a replacement that leaves them out too keeps them.
  // Empty in lists, and of stores.
  std::string json;
  std::string toml;
  std::vector<std::string> secrets;  // the keys that were left out
};
std::string_view to_string(Definition::Origin origin);

// The keys of one alias or trigger, as they stand below [aliases.NAME] or [[triggers]]: TOML, or a
// JSON object with the same keys. `name` may be among them and then is the one that is meant.
struct DefinitionText {
  enum class Format { json, toml };
  Format format = Format::json;
  std::string text;
  // It may name files below [admin] manage_files alone: whoever sent it may not open all those that
  // this process may.
  bool confined = false;
};

enum class DefinitionKind { alias, trigger };

struct DefinitionChange {
  enum class Verb { create, replace, remove };
  Verb verb = Verb::create;
  DefinitionKind kind = DefinitionKind::trigger;
  std::string name;
  DefinitionText text;      // not with remove
  bool check_only = false;  // says what is wrong, and changes nothing
};

// What a reload, or a change of a definition, did.
struct ReloadReport {
  std::vector<std::string> added;          // "trigger NAME", "alias NAME"
  std::vector<std::string> removed;        //
  std::vector<std::string> changed;        // restarted, because their definition changed
  std::vector<std::string> restarted;      // restarted, because of what they use
  std::size_t unchanged = 0;               // untouched, with their connections and queues
  std::vector<std::string> needs_restart;  // "[inbox] sync", ...: kept as they were at the start
  std::vector<std::string> failures;       // "trigger NAME: why": applied, and does not run
  std::vector<std::string> warnings;
  double seconds = 0;
};

// Changes what is configured. Thread-safe: each call waits its turn on [control], behind other
// changes, each of which may take its drain_timeout. A runtime that stops answers `unavailable`.
class DefinitionControl {
 public:
  virtual ~DefinitionControl() = default;

  // Checks the definition by the rules of the file, plugins included; keeps it in
  // STATE_DIR/managed.toml; applies it.
  virtual Outcome<ReloadReport> change_definition(const DefinitionChange& change,
                                                  const Actor& by) = 0;
  // As SIGHUP: reads all files again. All of them are valid, or nothing changes.
  virtual Outcome<ReloadReport> reload(const Actor& by) = 0;
};

}  // namespace triggerd::management
