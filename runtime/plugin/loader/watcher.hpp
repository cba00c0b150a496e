// A thread that reports plugins whose file has changed and is complete.
//
// When that is so, change_detector.hpp decides. This looks after every event in the folders, and
// every `poll` besides: each linker and each way of copying causes other events, and some (a volume
// whose links are swapped, a folder that is made anew, a queue that overflows) cause none at all.
//
// No lock: the thread alone uses the members between start() and the destructor.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "plugin/loader/change_detector.hpp"
#include "plugin/process/thread.hpp"

namespace triggerd::plugin {

class Watcher {
 public:
  using Plugin = ChangeDetector::Plugin;
  struct Options {
    std::vector<Plugin> plugins;
    Millis quiet{200};
    Millis incomplete{10'000};  // instead of it, for a file that is empty or cut
    Millis poll{2'000};
    const Clock* clock = &system_clock();
  };
  // What is there now is known; `changed` is called on the watcher's thread for every change that
  // comes after. `log` and the clock outlive it. [control]
  static Result<std::unique_ptr<Watcher>> start(
      Options options, std::function<void(const std::string& name)> changed, Log& log);
  // Afterwards `changed` is not called any more.
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

 private:
  Watcher(Options options, std::function<void(const std::string&)> changed);
  void run();
  void add_watches();
  void discard_events();

  const Options options_;
  const std::function<void(const std::string&)> changed_;
  ChangeDetector files_;
  UniqueFd events_;
  UniqueFd stop_;
  Thread thread_;
};

}  // namespace triggerd::plugin
