// Judges system calls of a worker that affect a process that may not be its own.
//
// Some system calls name a process or a thread by its number: kill, prlimit, sched_setaffinity and
// others (system_call_filter.hpp lists them). A worker may call these on itself. For another number
// the kernel holds the call up and asks the host, through a descriptor that the worker made and
// passed to the host before it loaded a plugin (seccomp_unotify(2)). Processes in the worker's
// process group, which it and its descendants cannot leave, are its own.
//
// The arguments are numbers, not pointers, so what was judged is what is then done.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "base/file.hpp"

struct seccomp_notif;

namespace triggerd::plugin::isolation {

// [link]
class SystemCallJudge {
 public:
  // `worker` leads its process group. `memory` is its limit in bytes; 0: none.
  SystemCallJudge(UniqueFd calls, pid_t worker, std::uint64_t memory);

  // Readable while a call waits.
  int fd() const { return calls_.get(); }
  // Answers one call that waits.
  void answer_one();

 private:
  // The errno with which the call fails; 0: the call is carried out.
  int verdict(const seccomp_notif& call) const;
  int verdict_on_process(int pid) const;
  int verdict_on_group(int group) const;
  int verdict_on_memory(std::uint64_t bytes) const;

  const UniqueFd calls_;
  const pid_t worker_;
  const std::uint64_t memory_;
  // As large as this kernel needs them.
  std::vector<std::uint64_t> request_;
  std::vector<std::uint64_t> response_;
};

// How many bytes of memory the process uses: anonymous, shared, and swapped out. 0: not known.
std::uint64_t memory_of(pid_t process);

}  // namespace triggerd::plugin::isolation
