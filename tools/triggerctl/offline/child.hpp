// A plugin is tried in a separate process, so that one that crashes or never returns costs the user
// only an error that says so. What happens there comes back as events.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "base/clock.hpp"
#include "base/mutex.hpp"
#include "base/result.hpp"
#include "output.hpp"

namespace triggerctl {

using triggerd::Millis;
using triggerd::Result;

// The child's side: events to the parent. Thread-safe.
class Events {
 public:
  explicit Events(int fd) : fd_(fd) {}
  // `event` has a member "event", its kind.
  void send(const Json& event);
  // What is called next, in words for "... crashed in ITS CONSTRUCTOR".
  void stage(const std::string& words);

 private:
  triggerd::Mutex mutex_;
  const int fd_;
};

// How the child ended. `signal` is the name of the signal that ended it, "SIGSEGV"; `silent`: it
// sent nothing for so long that it was killed.
struct ChildEnd {
  std::string signal;
  bool silent = false;
  int code = 0;
  std::string stage;  // the last one that it reported
};

// Runs `body` in a child process, whose exit code is the result, and calls `on_event` here for each
// event except stages. An error means that there is no child.
Result<ChildEnd> run_in_child(const std::function<int(Events&)>& body,
                              const std::function<void(const Json&)>& on_event, Millis silence);

// A folder for the private copies of plugins, removed with the object.
class StageFolder {
 public:
  static Result<StageFolder> make();
  ~StageFolder();
  StageFolder(StageFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  StageFolder& operator=(StageFolder&&) = delete;
  const std::string& path() const { return path_; }

 private:
  explicit StageFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace triggerctl
