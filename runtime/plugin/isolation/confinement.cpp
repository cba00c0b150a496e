#include "plugin/isolation/confinement.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "plugin/isolation/child.hpp"
#include "plugin/isolation/system_call_filter.hpp"

namespace triggerd::plugin::isolation {
namespace {

constexpr std::uint64_t kMoreProcesses = 4096;

// Nothing that a service does needs them. A name that this kernel or library does not know is left
// out. Those that depend on what they are given are in system_call_filter.cpp.
constexpr const char* kForbidden[] = {
    // other processes
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease",
    "kcmp", "pidfd_getfd", "pidfd_send_signal", "perf_event_open",
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

// What root may do to other processes and to the machine, and no service has to. It keeps what
// files, users and the network need.
constexpr int kDropped[] = {
    CAP_SYS_PTRACE,      CAP_SYS_ADMIN,      CAP_SYS_MODULE,  CAP_SYS_RAWIO,
    CAP_SYS_BOOT,        CAP_SYS_NICE,       CAP_SYS_PACCT,   CAP_SYS_RESOURCE,
    CAP_SYS_TIME,        CAP_SYS_TTY_CONFIG, CAP_MKNOD,       CAP_SYSLOG,
    CAP_WAKE_ALARM,      CAP_BLOCK_SUSPEND,  CAP_MAC_ADMIN,   CAP_MAC_OVERRIDE,
    CAP_AUDIT_CONTROL,   CAP_AUDIT_READ,     CAP_AUDIT_WRITE, CAP_SETPCAP,
    CAP_LINUX_IMMUTABLE, CAP_PERFMON,        CAP_BPF,         CAP_CHECKPOINT_RESTORE};

// Its host's thread has ended: a signal that nobody else sends.
constexpr int kHostIsGone = SIGPWR;

extern "C" void end_with_the_group(int) {
  ::kill(0, SIGKILL);
  ::_exit(1);
}

std::atomic<pid_t> worker_process{0};

extern "C" void leave_it_to_the_host(int signal) {
  if (::getpid() == worker_process.load()) return;
  // A copy of the worker, which a plugin has forked: it ends as any program does.
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

bool is_this_users(const std::string& process) {
  const auto status = read_file("/proc/" + process + "/status", 4'096);
  return status &&
         status->find("\nUid:\t" + std::to_string(::getuid()) + "\t") != std::string::npos;
}

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
    if (::stat(path.c_str(), &tasks) != 0) continue;
    // The runtime and other workers are not dumpable, and so look like root's.
    if (tasks.st_uid != ::getuid() && (tasks.st_uid != 0 || !is_this_users(entry->d_name))) {
      continue;
    }
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

// Else what it, or a program that it starts, makes of them (not to wait, where to write next) is so
// for the runtime's log too. A socket cannot be opened so, nor what belongs to somebody else.
void open_output_anew() {
  for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) {
    const std::string name = "/proc/self/fd/" + std::to_string(fd);
    // A FIFO that nobody reads is not waited for.
    const UniqueFd own(
        ::open(name.c_str(), O_WRONLY | O_APPEND | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
    if (own && ::fcntl(own.get(), F_SETFL, O_APPEND) == 0) ::dup2(own.get(), fd);
  }
}

Result<> drop_capabilities() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {};
  if (::syscall(SYS_capget, &header, sets) != 0) {
    return fail("its capabilities cannot be read: {}", errno_text(errno));
  }
  for (const int capability : kDropped) {
    // Else a program that root starts would get it back. Who may not do this has none of them.
    ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
    const std::uint32_t others = ~CAP_TO_MASK(capability);
    __user_cap_data_struct& set = sets[CAP_TO_INDEX(capability)];
    set.effective &= others;
    set.permitted &= others;
    set.inheritable &= others;
  }
  if (::syscall(SYS_capset, &header, sets) == 0) return {};
  return fail("its capabilities cannot be dropped: {}", errno_text(errno));
}

// Root owns the runtime's files in /proc, which say what it loses first when memory runs out. Where
// it mounts a /proc of its own, only what it may trace is in there, and so nothing but what it has
// started. Everybody else does not own them, as the runtime is not dumpable. What it mounts there
// shows nowhere else once /proc is nobody's peer; "/" need not be a mount, in a chroot.
Result<> hide_processes() {
  if (::geteuid() != 0) return {};
  if (::unshare(CLONE_NEWNS) == 0 &&
      ::mount(nullptr, "/proc", nullptr, MS_REC | MS_SLAVE, nullptr) == 0 &&
      ::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "hidepid=ptraceable") ==
          0) {
    return {};
  }
  return fail(
      "it sees other processes in /proc, and may write to the files of those that run as root: {}",
      errno_text(errno));
}

// Calls that name another process go to the host, which has what this returns. Where there can be
// no such thing they are refused.
Result<UniqueFd> confine_by_argument(bool counts_memory) {
  const auto load = [&](std::uint32_t judged, unsigned flags, bool counts) {
    std::vector<sock_filter> program = system_call_filter(::getpid(), judged, counts);
    const sock_fprog filter{.len = static_cast<unsigned short>(program.size()),
                            .filter = program.data()};
    return static_cast<int>(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter));
  };
  UniqueFd calls(load(SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER, counts_memory));
  if (calls) {
    ::fcntl(calls.get(), F_SETFD, FD_CLOEXEC);
    return calls;
  }
  const int why = errno;
  if (load(SECCOMP_RET_ERRNO | EPERM, 0, false) != 0) {
    return fail("its access to other processes cannot be confined: {}", errno_text(errno));
  }
  return fail("it cannot send signals to the programs that it starts: {}", errno_text(why));
}

}  // namespace

std::vector<std::string> confine_process() {
  // A sanitizer's handlers would say it in another way, and the name of the signal is the reason
  // that its host gives.
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP}) {
    ::signal(signal, SIG_DFL);
  }
  // A service manager may send it to all of a service's processes; the host ends in good order, and
  // its workers with it. Not ignored: programs that are started from here would inherit that.
  worker_process = ::getpid();
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGPIPE})
    ::signal(signal, leave_it_to_the_host);
  ::signal(kHostIsGone, end_with_the_group);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  ::close_range(kMemoryFd + 1, ~0U, 0);
  open_output_anew();
  lower(RLIMIT_CORE, 0);
  if (::getuid() != 0) lower(RLIMIT_NPROC, tasks_of_this_user() + kMoreProcesses);
  if (const UniqueFd score(::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC)); score) {
    static_cast<void>(!::write(score.get(), "500", 3));
  }
  std::vector<std::string> problems;
  for (const auto& confined : {hide_processes(), drop_capabilities()}) {
    if (!confined) problems.push_back(confined.error().message);
  }
  // No other worker reads or writes it, and its files in /proc are root's.
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  ::prctl(PR_SET_PDEATHSIG, kHostIsGone);
  return problems;
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

Result<UniqueFd> confine_system_calls(bool counts_memory) {
  const std::unique_ptr<void, void (*)(scmp_filter_ctx)> filter(::seccomp_init(SCMP_ACT_ALLOW),
                                                                ::seccomp_release);
  if (!filter) return fail("its system calls cannot be confined: no memory");
  for (const char* const name : kForbidden) {
    const int number = ::seccomp_syscall_resolve_name(name);
    if (number < 0) continue;
    ::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), number, 0);
  }
  // What it makes cannot be looked into; who is told that there is no such call takes clone().
  ::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
  ::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a tree: it is asked often
  if (const int error = ::seccomp_load(filter.get()); error != 0) {
    return fail("its system calls cannot be confined: {}", errno_text(-error));
  }
  return confine_by_argument(counts_memory);
}

}  // namespace triggerd::plugin::isolation
