// Watcher: tells when the file of a plugin has changed, and is complete.
//
// Events of the folders are hints only, for each linker and each way of copying announces itself
// differently, and some (a volume whose links are swapped, a folder that is made anew, an
// overflowed queue) not at all. What counts is what stat(2) says of the file behind the name,
// looked at after every hint and every kPoll; and it counts once nothing has changed for kQuiet. A
// linker may take longer than that between two writes, so a file that is empty or cut counts only
// once it has been so for long.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "plugin/process/thread.hpp"

namespace triggerd::plugin {

class Watcher {
 public:
  struct Plugin {
    std::string name;    // what `changed` is told
    std::string plugin;  // for find_plugin(), in `dirs`
    std::vector<std::filesystem::path> dirs;
  };
  struct Options {
    std::vector<Plugin> plugins;
    Millis quiet{200};
    Millis incomplete{10'000};  // instead of it, for a file that is empty or cut
    Millis poll{2'000};
  };
  // What is there now is known; `changed` is called for what comes after. [its own thread]
  static Result<std::unique_ptr<Watcher>> start(
      Options options, std::function<void(const std::string& name)> changed, Log& log);
  // `changed` is not called any more.
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

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
    const Plugin* plugin;             // of options_
    std::optional<Fingerprint> told;  // as of the last call of `changed`
    std::optional<Fingerprint> seen;
    Monotonic since{};  // when `seen` was seen first
  };

  Watcher(Options options, std::function<void(const std::string&)> changed, Log& log);
  void run();
  void add_watches();
  void forget_events();
  // When the next file has been quiet for long enough; Monotonic::max() where all is told.
  Monotonic look();
  static std::optional<Fingerprint> fingerprint(const Plugin& plugin);

  const Options options_;
  const std::function<void(const std::string&)> changed_;
  Log& log_;
  UniqueFd events_;
  UniqueFd stop_;
  std::vector<Watched> watched_;
  Thread thread_;
};

}  // namespace triggerd::plugin
