// What a worker gives up before it loads a plugin.
//
//   descriptors      all but 0 to 2 and its own three are closed, and 1 and 2 are reopened
//   its memory       is not dumpable, so that no other worker can read it or its files in /proc
//   capabilities     if it runs as root, it keeps none over other processes or the machine, and
//   gets
//                    a /proc of its own that shows only what it has started
//   no_new_privs     set-uid programs do not raise its privileges
//   its host's end   ends it and its process group
//   core dumps       none (RLIMIT_CORE)
//   memory           RLIMIT_DATA, if the trigger has a limit; the host judges requests for shared
//                    memory (system_call_judge.hpp) and checks its use (WorkerProcess::fault). When
//                    the machine runs out of memory, workers go before the runtime (oom_score_adj)
//   processes        RLIMIT_NPROC, if it is not root: what the user has now and 4096 more. The
//   kernel
//                    counts by user, so this only bounds a fork bomb
//   system calls     seccomp: none that change the machine, look into another process, leave the
//                    process group, or signal or change a process that is not in it
//                    (system_call_filter.hpp)
//
// It keeps its user, its files and its network, because a plugin may need them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "base/result.hpp"

namespace triggerd::plugin::isolation {

// Called first, before anything is read from the host. Returns what could not be done.
std::vector<std::string> confine_process();
// These two report errors, which are no reason not to run. The process has one thread.
Result<> confine_memory(std::uint64_t bytes);
// Returns the descriptor of the system calls that the host judges.
Result<UniqueFd> confine_system_calls(bool counts_memory);

}  // namespace triggerd::plugin::isolation
