// The program for the kernel (BPF) that decides about a worker's system calls by their arguments.
//
// Calls that are forbidden whatever their arguments are listed in confinement.cpp, by name.
#pragma once

#include <linux/filter.h>
#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace triggerd::plugin::isolation {

// What the first argument of ioprio_set names. The kernel's <linux/ioprio.h> has these too, but is
// not C++: since Linux 6.1.192 (Debian 12's) it has a parameter called `class`.
inline constexpr int kIoprioWhoProcess = 1;
inline constexpr int kIoprioWhoGroup = 2;
inline constexpr int kIoprioWhoUser = 3;

// `self` is the worker. `judged` is what the program returns for a call that names another process:
// SECCOMP_RET_USER_NOTIF if the host judges it (system_call_judge.hpp), else an errno.
// `counts_memory`: requests for shared memory without a file are judged too.
std::vector<sock_filter> system_call_filter(pid_t self, std::uint32_t judged, bool counts_memory);

}  // namespace triggerd::plugin::isolation
