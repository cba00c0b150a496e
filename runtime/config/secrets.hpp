// Definitions as they are shown: without what is secret in them. Whatever shows a definition - API,
// console, triggerctl - gets it from here; and what comes back from there, without its secrets,
// gets them again.
//
// A key is secret by its name (names_secret), and its value is left out. In any other string, parts
// that are secret are shown as "***" (masked): a password in an address, "sig=" in a query. Both
// count as secrets of the definition. A ${NAME} alone is no secret: it says where one comes from.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/tree.hpp"

namespace triggerd::config {

// Whether the value of a setting with this name is secret. Case, "-", "_", "." and spaces do not
// matter. Plugins mark secret settings so: docs/guides/writing-plugins.md lists the words.
bool names_secret(std::string_view key);

// `text` with "***" in the place of what is secret in it: the same where nothing is.
std::string masked(std::string_view text);

// A definition to be shown.
struct Shown {
  Node table;
  std::vector<std::string> secrets;  // dotted keys that were left out, or shown in part
};
Shown without_secrets(const Node& table);

// What became of a definition that came back as it was shown, or nearly so.
struct Kept {
  std::vector<std::string> keys;     // whose secrets are those of before
  std::vector<std::string> unknown;  // that hold a "***" for which nothing can be put in
};
// Puts into `next`, which replaces `before` (an empty table: it replaces nothing), the secrets that
// it leaves out.
Kept keep_secrets(const Node& before, Node& next);

// The value at a dotted key, elements of arrays counted from 0; null where there is none.
const Node* at_path(const Node& node, std::string_view path);

}  // namespace triggerd::config
