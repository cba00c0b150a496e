// Definitions as they are shown: without their secrets. Whatever shows a definition (API, console,
// triggerctl) gets it from here. If a definition comes back without its secrets, they are restored.
//
// A key is secret by its name (names_secret), and is left out. In any other string, secret parts
// are shown as "***" (masked): a password in a URL, "sig=" in a query. Both count as secrets of the
// definition. A value that is only ${NAME} is not a secret: it says where the secret comes from.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/tree.hpp"

namespace triggerd::config {

// Whether the value of a setting with this name is secret. Case, "-", "_", "." and spaces do not
// matter. This is how plugins mark secret settings: docs/guides/writing-plugins.md lists the words.
bool names_secret(std::string_view key);

// `text` with "***" in place of each secret; unchanged if there is none.
std::string masked(std::string_view text);

// A definition to be shown.
struct Shown {
  Node table;
  std::vector<std::string> secrets;  // dotted keys that were left out, or shown in part
};
Shown without_secrets(const Node& table);

// What happened to the secrets of a definition that came back, edited or as it was shown.
struct Kept {
  std::vector<std::string> keys;     // dotted keys whose secrets were restored
  std::vector<std::string> unknown;  // dotted keys with a "***" for which no secret is stored
};
// Restores in `next` the secrets that it leaves out or masks, taking them from `before`, the
// definition that it replaces (an empty table if there is none).
Kept keep_secrets(const Node& before, Node& next);

// The value at a dotted key, with array elements counted from 0; null if there is none.
const Node* at_path(const Node& node, std::string_view path);

}  // namespace triggerd::config
