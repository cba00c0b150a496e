// What was defined while the runtime ran: the aliases and triggers of STATE_DIR/managed.toml.
//
// The file is TOML as any other, may be read and edited by people while the runtime does not run,
// and is written whole: whoever reads it, after whatever died, finds it as it was before a change
// or after it. Comments are not kept.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "config/config.hpp"
#include "config/tree.hpp"

namespace triggerd::config {

enum class Defined { alias, trigger };

// One table with keys of an alias or a trigger.
class ManagedFile {
 public:
  // A file that is missing is an empty one.
  static Result<ManagedFile> read(std::filesystem::path file);

  // The same, read already.
  static ManagedFile of(std::filesystem::path file, Node root);

  // Its table; null where it is not in this file.
  const Node* find(Defined kind, std::string_view name) const;
  // In the place of the one with that name, or at the end. `table` is a table.
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

// The dotted key of what stands at `place` in `table`, elements of arrays counted from 0: "host",
// "topics.0.filter"; empty where no key is there.
std::string key_at(const Node& table, Spot place);

}  // namespace triggerd::config
