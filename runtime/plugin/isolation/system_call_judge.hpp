// Judges what a worker asks the kernel to do to a process that may not be its own.
//
// Some system calls name a process or a thread by its number: kill, prlimit, sched_setaffinity and
// others (system_call_filter.hpp has them all). To itself a worker may do that without a word.
// Where the number is another one the kernel holds the call up and asks the host, through a
// descriptor that the worker has made and handed over before it loaded a plugin
// (seccomp_unotify(2)). What is in the worker's process group, which it and its descendants cannot
// leave, is its own.
//
// Their arguments are numbers and no pointers, so what was judged is what is then done.
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
  // Answers one that waits.
  void answer_one();

 private:
  // What the call returns instead, as an errno; 0: it goes on.
  int verdict(const seccomp_notif& call) const;
  int verdict_on_process(int pid) const;
  int verdict_on_group(int group) const;
  int verdict_on_memory(std::uint64_t bytes) const;

  const UniqueFd calls_;
  const pid_t worker_;
  const std::uint64_t memory_;
  // As large as this kernel has them.
  std::vector<std::uint64_t> request_;
  std::vector<std::uint64_t> response_;
};

// What the process has in memory that is its own: written to, shared with others that it has made,
// swapped out. 0: it cannot be seen.
std::uint64_t memory_of(pid_t process);

}  // namespace triggerd::plugin::isolation
