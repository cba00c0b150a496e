// The definition of an alias or a trigger, from the command line, a file, or the user's editor.
#pragma once

#include <string>
#include <vector>

#include "client/api.hpp"
#include "command_line.hpp"

namespace triggerctl {

enum class Kind { alias, trigger };
std::string_view word(Kind kind);  // "alias"
std::string path_of(Kind kind);    // "/aliases"
std::string path_of(Kind kind, const std::string& name);

struct DefinitionOptions {
  std::string name;
  std::vector<std::string> set;    // KEY=VALUE
  std::vector<std::string> unset;  // KEY
  std::string file;
  bool check = false;
};
void add_definition_options(Command verb, DefinitionOptions& options, bool may_unset);

// The verbs `create` and `edit`.
Result<int> create(const Api& api, Kind kind, const DefinitionOptions& options);
Result<int> edit(const Api& api, Kind kind, const DefinitionOptions& options);

// TOML as in a file: only the keys, or within [aliases.NAME] or [[triggers]]. `file` is its name in
// errors.
Result<Json> definition_from_toml(Kind kind, const std::string& name, std::string_view toml,
                                  const std::string& file);

// KEY=VALUE: KEY is a dotted path; VALUE is a number, true, false or JSON if it can be read as
// such, and otherwise plain text. A list that is given several times gets all the values.
Result<> assign_all(const std::vector<std::string>& set, Json& definition);
Result<> remove_all(const std::vector<std::string>& unset, Json& definition);

}  // namespace triggerctl
