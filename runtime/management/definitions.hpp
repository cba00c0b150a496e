// Definitions of aliases and triggers: how they are shown, and how they are changed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "management/errors.hpp"

namespace triggerd::management {

// The definition of an alias, trigger or store, as it was written.
struct Definition {
  std::string name;
  std::string package;  // the package that contains it; empty: none
  std::string file;     // the file it is written in, at `line`
  std::uint32_t line = 0;
  // managed: made by an administrator, can be edited; file, package: read-only.
  enum class Origin { managed, file, package };
  Origin origin = Origin::file;
  // Its keys and values as they were written, with ${NAME} not expanded: as one JSON object and as
  // TOML. Secrets are left out; a replacement that leaves them out as well keeps them.
  // Empty in lists and for stores.
  std::string json;
  std::string toml;
  std::vector<std::string> secrets;  // the keys of the secrets that were left out
};
std::string_view to_string(Definition::Origin origin);

// The keys of one alias or trigger, as they are written below [aliases.NAME] or [[triggers]]: as
// TOML, or as a JSON object with the same keys. If `name` is among them, it has to be the name of
// the alias or trigger that is changed.
struct DefinitionText {
  enum class Format { json, toml };
  Format format = Format::json;
  std::string text;
  // True: it may only name files below [admin] manage_files, because its sender need not have the
  // right to open every file that this process can open.
  bool confined = false;
};

enum class DefinitionKind { alias, trigger };

struct DefinitionChange {
  enum class Verb { create, replace, remove };
  Verb verb = Verb::create;
  DefinitionKind kind = DefinitionKind::trigger;
  std::string name;
  DefinitionText text;      // unused by `remove`
  bool check_only = false;  // reports what is wrong, but changes nothing
};

// What a reload, or a change of a definition, did.
struct ReloadReport {
  std::vector<std::string> added;          // "trigger NAME", "alias NAME"
  std::vector<std::string> removed;        //
  std::vector<std::string> changed;        // restarted because their own definition changed
  std::vector<std::string> restarted;      // restarted because something they use changed
  std::size_t unchanged = 0;               // untouched, with their connections and queues
  std::vector<std::string> needs_restart;  // "[inbox] sync", ...: they change only at a restart
  std::vector<std::string> failures;       // "trigger NAME: why": applied, but does not run
  std::vector<std::string> warnings;
  double seconds = 0;
};

// Changes what is configured. Thread-safe: each call waits its turn on [control], behind other
// changes, each of which may take its drain_timeout. While the runtime stops, calls fail with
// `unavailable`.
class DefinitionControl {
 public:
  virtual ~DefinitionControl() = default;

  // Checks the definition by the same rules as a configuration file, plugins included, saves it in
  // STATE_DIR/managed.toml, and applies it.
  virtual Outcome<ReloadReport> change_definition(const DefinitionChange& change,
                                                  const Actor& by) = 0;
  // Does what SIGHUP does: reads all files again. If any of them is invalid, nothing changes.
  virtual Outcome<ReloadReport> reload(const Actor& by) = 0;
};

}  // namespace triggerd::management
