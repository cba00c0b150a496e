// What a worker gives up before it loads a plugin.
//
//   descriptors      all but 0 to 2 and its own three are closed, and 1 and 2 are opened anew
//   its memory       is not dumpable: no other worker reads it, or its files in /proc
//   capabilities     none over other processes or the machine, where it runs as root; then it also
//                    has a /proc of its own, which shows only what it has started
//   no_new_privs     no set-uid program raises what it may
//   its host's end   ends it, and what it has started: its process group
//   core dumps       none (RLIMIT_CORE)
//   memory           RLIMIT_DATA, where the trigger says how much, and shared memory is asked for
//                    (system_call_judge.hpp) and looked at by the host (Link::watch_memory); when
//                    the machine runs out, workers go before the runtime does (oom_score_adj)
//   processes        RLIMIT_NPROC, where it is not root's: what the user has now and 4096 more. It
//                    is a bound on a fork bomb, not a measure: the kernel counts it by user.
//   system calls     seccomp: none that change the machine, look into another process, leave the
//                    process group, or signal or change a process that is not in it
//                    (system_call_filter.hpp)
//
// It keeps its user, its files and its network: a plugin may need them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "base/result.hpp"

namespace triggerd::plugin::isolation {

// At once, before anything is read from the host. What could not be done.
std::vector<std::string> confine_process();
// What may fail in here is said, and is no reason not to run. With one thread only.
Result<> confine_memory(std::uint64_t bytes);
// The descriptor of the calls that the host judges.
Result<UniqueFd> confine_system_calls(bool counts_memory);

}  // namespace triggerd::plugin::isolation
