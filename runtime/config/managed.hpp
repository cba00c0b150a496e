// STATE_DIR/managed.toml: the aliases and triggers that were defined at run time.
//
// The file is ordinary TOML, which people may edit while the runtime is stopped. It is replaced as
// a whole: after any crash it is as it was before a change, or after it. Comments are not kept.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "config/tree.hpp"

namespace triggerd::config {

enum class Defined { alias, trigger };

// One table with keys of an alias or a trigger.
class ManagedFile {
 public:
  // A missing file counts as an empty one.
  static Result<ManagedFile> read(std::filesystem::path file);

  // From a root table that was read already.
  static ManagedFile of(std::filesystem::path file, Node root);

  // Its table; null if it is not in this file.
  const Node* find(Defined kind, std::string_view name) const;
  // Replaces the one with that name, or appends it. `table` holds a Node::Table.
  void put(Defined kind, std::string_view name, Node table);
  // False: there was none.
  bool remove(Defined kind, std::string_view name);

  std::string text() const;
  // Temporary file, fsync, rename, fsync of the folder.
  Result<> write() const;
  const std::filesystem::path& path() const { return file_; }

 private:
  std::filesystem::path file_;
  Node root_;
};

// The dotted key at `place` in `table`, with array elements counted from 0: "host",
// "topics.0.filter"; empty if there is no key.
std::string key_at(const Node& table, Spot place);

}  // namespace triggerd::config
