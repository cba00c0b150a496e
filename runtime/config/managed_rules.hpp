// What a definition that comes over the API must not say (docs/decisions/030), since its sender
// need not be the author of the configuration. It expands no variables and names files only if the
// configuration allows that; a secret that it does not spell out itself goes only where it went
// before.
//
// What was in the managed file before and comes back unchanged is not checked again: the file's
// owner wrote it, or these rules accepted it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "config/managed.hpp"

namespace triggerd::config {

struct DefinitionRules {
  std::filesystem::path files_below;  // [admin] manage_files; empty: no file may be named
  std::filesystem::path state_dir;    // where relative paths of an alias start
  // The sender has the rights of this process anyway, and may name any file.
  bool any_file = false;
};

// A key that breaks the rules, dotted, and what to write instead.
struct AgainstRules {
  std::string key;
  std::string message;
};

// Restores the secrets that `next` leaves out of `before`, the definition that it replaces (null:
// none), and returns what breaks the rules. Opens no file.
std::vector<AgainstRules> take_definition(Defined kind, const Node* before, Node& next,
                                          const DefinitionRules& rules);

}  // namespace triggerd::config
