// STATE_DIR/managed.toml: the aliases and triggers that were defined at run time.
//
// The file is ordinary TOML, which people may edit while the runtime is stopped. It is replaced as
// a whole: after a crash it is as it was either before the change or after it. Comments are lost.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "config/tree.hpp"

namespace triggerd::config {

enum class Defined { alias, trigger };

// The content of the file, and changes to it.
class ManagedFile {
 public:
  // A missing file counts as an empty one.
  static Result<ManagedFile> read(std::filesystem::path file);

  // From a root table that has already been read.
  static ManagedFile of(std::filesystem::path file, Node root);

  // The table of the alias or trigger `name`; null if it is not in this file.
  const Node* find(Defined kind, std::string_view name) const;
  // Replaces the definition with that name, or appends a new one. `table` holds a Node::Table.
  void put(Defined kind, std::string_view name, Node table);
  // False: there was no such definition.
  bool remove(Defined kind, std::string_view name);

  std::string text() const;
  // Writes a temporary file, syncs it, renames it, and syncs the folder.
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
