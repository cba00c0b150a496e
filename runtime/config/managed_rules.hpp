// What a definition may not say that comes over the API (docs/decisions/030): whoever sends it need
// not be the one who wrote the configuration. It expands no variables, names files only where the
// configuration lets it, and a secret that it does not write itself goes only where it went before.
//
// What stood in the managed file before, and comes back unchanged, is not looked at again: that was
// written by the owner of the file, or taken by these rules.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "config/managed.hpp"

namespace triggerd::config {

struct DefinitionRules {
  std::filesystem::path files_below;  // [admin] manage_files; empty: no file may be named
  std::filesystem::path state_dir;    // where relative paths of an alias start
  // Who sends it has the rights of this process anyway, and may name any file.
  bool any_file = false;
};

// One key that is against the rules, dotted, and what would be right.
struct AgainstRules {
  std::string key;
  std::string message;
};

// Puts the secrets into `next` that it leaves out of `before`, which it replaces (null: nothing),
// and says what is against the rules. No file is opened.
std::vector<AgainstRules> take_definition(Defined kind, const Node* before, Node& next,
                                          const DefinitionRules& rules);

}  // namespace triggerd::config
