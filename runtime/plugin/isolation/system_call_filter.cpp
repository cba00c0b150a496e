#include "plugin/isolation/system_call_filter.hpp"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <initializer_list>

namespace triggerd::plugin::isolation {
namespace {

constexpr std::uint32_t kRefused = SECCOMP_RET_ERRNO | EPERM;
// A name space, and a child that would be the runtime's.
constexpr std::uint32_t kForbiddenClone = CLONE_PARENT | CLONE_NEWUSER | CLONE_NEWNS |
                                          CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS |
                                          CLONE_NEWIPC | CLONE_NEWCGROUP;

// The lower half of an argument. All machines that this is built for have it in front.
sock_filter load_argument(unsigned i) {
  return BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                  static_cast<std::uint32_t>(offsetof(seccomp_data, args) + std::size_t{i} * 8));
}
sock_filter give(std::uint32_t action) {
  return BPF_STMT(BPF_RET | BPF_K, action);
}
// Jumps so many further than the next one.
sock_filter if_equal(std::uint32_t value, std::uint8_t then, std::uint8_t otherwise) {
  return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, then, otherwise);
}
sock_filter if_set(std::uint32_t bits, std::uint8_t then, std::uint8_t otherwise) {
  return BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, then, otherwise);
}

class Program {
 public:
  Program(std::uint32_t self, std::uint32_t judged) : self_(self), judged_(judged) {
    const auto architecture = static_cast<std::uint32_t>(offsetof(seccomp_data, arch));
    const auto call = static_cast<std::uint32_t>(offsetof(seccomp_data, nr));
    // What is of another architecture, libseccomp's own filter ends.
    append({BPF_STMT(BPF_LD | BPF_W | BPF_ABS, architecture), if_equal(seccomp_arch_native(), 1, 0),
            give(SECCOMP_RET_ALLOW), BPF_STMT(BPF_LD | BPF_W | BPF_ABS, call)});
  }

  // For this call; its body ends in give() on every way.
  void on(long call, std::initializer_list<sock_filter> body) {
    append({if_equal(static_cast<std::uint32_t>(call), 0, static_cast<std::uint8_t>(body.size()))});
    append(body);
  }
  // A process or thread as argument `i`: 0 and itself it may name.
  void on_process(long call, unsigned i) {
    on(call, {load_argument(i), if_equal(0, 2, 0), if_equal(self_, 1, 0), give(judged_),
              give(SECCOMP_RET_ALLOW)});
  }
  // What it is that argument 1 names is argument 0; all of a user's processes are not its own.
  void on_kind_and_process(long call, std::uint32_t user) {
    on(call, {load_argument(0), if_equal(user, 0, 1), give(kRefused), load_argument(1),
              if_equal(0, 2, 0), if_equal(self_, 1, 0), give(judged_), give(SECCOMP_RET_ALLOW)});
  }
  std::vector<sock_filter> end() {
    append({give(SECCOMP_RET_ALLOW)});
    return std::move(program_);
  }

 private:
  void append(std::initializer_list<sock_filter> more) {
    program_.insert(program_.end(), more.begin(), more.end());
  }

  const std::uint32_t self_;
  const std::uint32_t judged_;
  std::vector<sock_filter> program_;
};

}  // namespace

std::vector<sock_filter> system_call_filter(pid_t self, std::uint32_t judged, bool counts_memory) {
  const auto own = static_cast<std::uint32_t>(self);
  const auto own_group = static_cast<std::uint32_t>(-self);
  Program program(own, judged);
  for (const long call :
       {SYS_kill, SYS_tgkill, SYS_tkill, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo, SYS_prlimit64,
        SYS_sched_setaffinity, SYS_sched_setscheduler, SYS_sched_setparam, SYS_sched_setattr,
        SYS_migrate_pages, SYS_move_pages}) {
    program.on_process(call, 0);
  }
  program.on_kind_and_process(SYS_setpriority, PRIO_USER);
  program.on_kind_and_process(SYS_ioprio_set, kIoprioWhoUser);
  // Who gets the signals of a descriptor.
  program.on(SYS_fcntl, {load_argument(1), if_equal(F_SETOWN_EX, 0, 1), give(kRefused),
                         if_equal(F_SETOWN, 1, 0), give(SECCOMP_RET_ALLOW), load_argument(2),
                         if_equal(0, 3, 0), if_equal(own, 2, 0), if_equal(own_group, 1, 0),
                         give(judged), give(SECCOMP_RET_ALLOW)});
  // The same, and what would be typed into the runtime's terminal.
  program.on(SYS_ioctl, {load_argument(1), if_equal(FIOSETOWN, 4, 0), if_equal(SIOCSPGRP, 3, 0),
                         if_equal(TIOCSTI, 2, 0), if_equal(TIOCLINUX, 1, 0),
                         give(SECCOMP_RET_ALLOW), give(kRefused)});
  // clone3() cannot be looked into: confinement.cpp.
  program.on(SYS_clone, {load_argument(0), if_set(kForbiddenClone, 0, 1), give(kRefused),
                         give(SECCOMP_RET_ALLOW)});
  if (counts_memory) {
    program.on(SYS_mmap, {load_argument(3), if_set(MAP_ANONYMOUS, 0, 2), if_set(MAP_SHARED, 0, 1),
                          give(judged), give(SECCOMP_RET_ALLOW)});
    program.on(SYS_shmget, {give(judged)});
  }
  return program.end();
}

}  // namespace triggerd::plugin::isolation
