#include "plugin/isolation/confinement.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>

#include "base/file.hpp"
#include "plugin/isolation/child.hpp"

namespace triggerd::plugin::isolation {
namespace {

constexpr std::uint64_t kMoreProcesses = 4096;

// Nothing that a service does needs them. A name that this kernel or library does not know is left
// out.
constexpr const char* kForbidden[] = {
    // other processes
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp", "pidfd_getfd",
    "pidfd_send_signal", "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "perf_event_open",
    // out of the process group and out of what surrounds it
    "setsid", "setpgid", "unshare", "setns", "chroot", "pivot_root",
    // file systems
    "mount", "umount", "umount2", "mount_setattr", "move_mount", "open_tree", "fsopen", "fsconfig",
    "fsmount", "fspick", "open_by_handle_at", "quotactl", "quotactl_fd", "swapon", "swapoff",
    // the machine
    "reboot", "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module",
    "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "stime", "sethostname",
    "setdomainname", "iopl", "ioperm", "acct", "syslog", "vhangup",
    // the kernel's inside
    "bpf", "userfaultfd", "add_key", "request_key", "keyctl", "io_uring_setup", "io_uring_enter",
    "io_uring_register"};

// Its host's thread has ended: a signal that nobody else sends.
constexpr int kHostIsGone = SIGPWR;

extern "C" void end_with_the_group(int) {
  ::kill(0, SIGKILL);
  ::_exit(1);
}

extern "C" void leave_it_to_the_host(int) {}

// Threads of this user, as RLIMIT_NPROC counts them.
std::uint64_t tasks_of_this_user() {
  const std::unique_ptr<DIR, int (*)(DIR*)> processes(::opendir("/proc"), ::closedir);
  if (!processes) return 0;
  std::uint64_t count = 0;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this call's own
  while (const dirent* entry = ::readdir(processes.get())) {
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
    struct stat tasks {};
    const std::string path = std::string("/proc/") + entry->d_name + "/task";
    if (::stat(path.c_str(), &tasks) != 0 || tasks.st_uid != ::getuid()) continue;
    count += tasks.st_nlink - 2;
  }
  return count;
}

void lower(decltype(RLIMIT_CORE) which, rlim_t to) {
  rlimit limit{};
  if (::getrlimit(which, &limit) != 0) return;
  limit.rlim_max = std::min(limit.rlim_max, to);
  limit.rlim_cur = std::min(limit.rlim_cur, limit.rlim_max);
  ::setrlimit(which, &limit);
}

// kill() and tgkill() for itself and its process group alone.
Result<> confine_signals() {
  const auto self = static_cast<std::uint32_t>(::getpid());
  const auto call = static_cast<std::uint32_t>(offsetof(seccomp_data, nr));
  const auto architecture = static_cast<std::uint32_t>(offsetof(seccomp_data, arch));
  // The lower half: both calls take an int. All machines that this is built for have it in front.
  const auto target = static_cast<std::uint32_t>(offsetof(seccomp_data, args[0]));
  std::array<sock_filter, 9> program{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, architecture),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, seccomp_arch_native(), 0, 6),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, call),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_kill, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_tgkill, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, target),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, self, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  std::array<sock_filter, 10> whole{};
  std::copy(program.begin(), program.end(), whole.begin());
  whole.back() = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
  sock_fprog filter{.len = static_cast<unsigned short>(whole.size()), .filter = whole.data()};
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0) return {};
  return fail("its signals cannot be confined: {}", errno_text(errno));
}

}  // namespace

void confine_process() {
  // A sanitizer's handlers would say it in another way, and the name of the signal is the reason
  // that its host gives.
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGPIPE}) {
    ::signal(signal, signal == SIGPIPE ? SIG_IGN : SIG_DFL);
  }
  // A service manager may send it to all of a service's processes; the host ends in good order, and
  // its workers with it. Not ignored: programs that are started from here would inherit that.
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::signal(signal, leave_it_to_the_host);
  ::signal(kHostIsGone, end_with_the_group);
  ::prctl(PR_SET_PDEATHSIG, kHostIsGone);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  ::close_range(kMemoryFd + 1, ~0U, 0);
  lower(RLIMIT_CORE, 0);
  if (::getuid() != 0) lower(RLIMIT_NPROC, tasks_of_this_user() + kMoreProcesses);
  if (const UniqueFd score(::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC)); score) {
    static_cast<void>(!::write(score.get(), "500", 3));
  }
}

Result<> confine_memory(std::uint64_t bytes) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  static_cast<void>(bytes);  // its shadow alone is larger
  return {};
#else
  if (bytes == 0) return {};
  const rlimit limit{.rlim_cur = bytes, .rlim_max = bytes};
  if (::setrlimit(RLIMIT_DATA, &limit) == 0) return {};
  return fail("its memory cannot be limited: {}", errno_text(errno));
#endif
}

Result<> confine_system_calls() {
  const std::unique_ptr<void, void (*)(scmp_filter_ctx)> filter(::seccomp_init(SCMP_ACT_ALLOW),
                                                                ::seccomp_release);
  if (!filter) return fail("its system calls cannot be confined: no memory");
  for (const char* const name : kForbidden) {
    const int number = ::seccomp_syscall_resolve_name(name);
    if (number < 0) continue;
    ::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), number, 0);
  }
  // A new name space is made through clone() too; clone3() cannot be looked into, and who is told
  // that there is none takes clone().
  for (const std::uint64_t space : {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET}) {
    const scmp_arg_cmp flag{.arg = 0, .op = SCMP_CMP_MASKED_EQ, .datum_a = space, .datum_b = space};
    ::seccomp_rule_add_array(filter.get(), SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1, &flag);
  }
  ::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
  ::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a tree: it is asked often
  if (const int error = ::seccomp_load(filter.get()); error != 0) {
    return fail("its system calls cannot be confined: {}", errno_text(-error));
  }
  return confine_signals();
}

}  // namespace triggerd::plugin::isolation
