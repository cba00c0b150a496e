// Finds out which plugins have a changed file that is complete.
//
// What counts is what stat(2) says of the file behind a plugin's name, and it counts once nothing
// has changed for `quiet`. A linker may take longer than that between two writes, so a file that is
// empty or cut counts only once it has been so for `incomplete`.
//
// No lock, no waiting: one thread looks whenever it likes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"

namespace triggerd::plugin {

class ChangeDetector {
 public:
  struct Plugin {
    std::string name;    // as Found reports it
    std::string plugin;  // for find_plugin(), in `dirs`
    std::vector<std::filesystem::path> dirs;
  };
  // Takes what is there now as known. The clock outlives it.
  ChangeDetector(std::vector<Plugin> plugins, Millis quiet, Millis incomplete, const Clock& clock);

  struct Found {
    std::vector<std::string> changed;  // names, each once for a change
    // When the next file will have been quiet for long enough; Monotonic::max(): none is pending.
    Monotonic next = Monotonic::max();
  };
  Found look();

 private:
  // Which bytes a name stands for, as far as it shows without reading them.
  struct Fingerprint {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t size = 0;
    std::int64_t modified_ns = 0;
    std::int64_t changed_ns = 0;
    friend bool operator==(const Fingerprint&, const Fingerprint&) = default;
  };
  struct Watched {
    Plugin plugin;
    std::optional<Fingerprint> reported;  // as of the last change that was reported
    std::optional<Fingerprint> seen;
    Monotonic since{};  // when `seen` was seen first
  };

  static std::optional<Fingerprint> fingerprint(const Plugin& plugin);
  std::optional<Monotonic> not_before(const Watched& watched) const;

  const Millis quiet_;
  const Millis incomplete_;
  const Clock& clock_;
  std::vector<Watched> watched_;
};

}  // namespace triggerd::plugin
