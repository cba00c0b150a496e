// A worker process as its host sees it: started, watched, ended with all that it started.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/result.hpp"

namespace triggerd::plugin::isolation {

// The descriptors of a worker besides 0 to 2.
inline constexpr int kSocketFd = 3;
inline constexpr int kDoorbellFd = 4;  // its host's, for this worker alone
inline constexpr int kMemoryFd = 5;

class Child {
 public:
  // Runs `PROGRAM --worker` in a process group of its own. It is told of the end of the thread that
  // calls this (PR_SET_PDEATHSIG), so that is one that lives as long as the worker.
  static Result<Child> start(const std::filesystem::path& program, int socket, int doorbell,
                             int memory);
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  ~Child();  // as end()

  pid_t pid() const { return pid_; }
  int pidfd() const { return pidfd_.get(); }
  // Waits for it to end by itself. False: it has not, at `deadline`.
  [[nodiscard]] bool wait(Monotonic deadline) const;
  // Kills its whole process group and waits. What ended it, in words: "SIGSEGV", "exit status 3".
  std::string end();

 private:
  Child(pid_t pid, UniqueFd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}

  pid_t pid_;
  UniqueFd pidfd_;
};

// "SIGSEGV", or "exit status 3".
std::string ending(int status);

}  // namespace triggerd::plugin::isolation
