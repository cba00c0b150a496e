// What a definition that comes over the API must not contain (docs/decisions/030), since its sender
// need not be the author of the configuration. It must not use variables or say which program runs,
// and may name files only if the configuration allows that. A stored secret that it does not spell
// out is sent only to where it was sent before.
//
// A variable or file name that the previous definition has at the same key is accepted: either the
// owner of the managed file wrote it, or these rules accepted it before.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "config/managed.hpp"

namespace triggerd::config {

struct DefinitionRules {
  std::filesystem::path files_below;  // [admin] manage_files; empty: no file may be named
  std::filesystem::path state_dir;    // where relative paths of an alias start
  // The sender has the rights of this process anyway, and may name any file and any program.
  bool any_file = false;
};

// A key that breaks the rules, dotted, and what to write instead.
struct AgainstRules {
  std::string key;
  std::string message;
};

// Restores in `next` the secrets that it leaves out, taking them from `before`, the definition that
// it replaces (null: there is none). Returns what breaks the rules. Opens no file.
std::vector<AgainstRules> take_definition(Defined kind, const Node* before, Node& next,
                                          const DefinitionRules& rules);

}  // namespace triggerd::config
