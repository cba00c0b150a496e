// A worker's process: started, watched, and ended with everything that it started.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/result.hpp"

namespace triggerd::plugin::isolation {

// The descriptors that a worker has besides 0 to 2.
inline constexpr int kSocketFd = 3;
inline constexpr int kDoorbellFd = 4;
inline constexpr int kMemoryFd = 5;

// [link]
class Child {
 public:
  // Runs `PROGRAM --worker` in a process group of its own. The calling thread has to live as long
  // as the worker, which is killed when that thread ends (PR_SET_PDEATHSIG).
  static Result<Child> start(const std::filesystem::path& program, int socket, int doorbell,
                             int memory);
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  ~Child();  // as end()

  pid_t pid() const { return pid_; }
  int pidfd() const { return pidfd_.get(); }
  // Waits for it to end by itself. False: it has not by `deadline`.
  [[nodiscard]] bool wait(Monotonic deadline, const Clock& clock) const;
  // Kills its whole process group and waits for it. Returns what ended it: "SIGSEGV", "exit status
  // 3".
  std::string end();

 private:
  Child(pid_t pid, UniqueFd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}

  pid_t pid_;
  UniqueFd pidfd_;
};

// What a status of waitpid(2) says: "SIGSEGV", or "exit status 3".
std::string ending(int status);

}  // namespace triggerd::plugin::isolation
