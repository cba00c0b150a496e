#include "integration/hostile/attacks.hpp"

#include <fcntl.h>
#include <linux/sockios.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

namespace hostile {
namespace {

using Attack = std::pair<std::string, std::function<bool()>>;

// Refused for who asks, and not for what is asked.
bool refused(long result) {
  return result < 0 && (errno == EPERM || errno == EACCES);
}

bool opens(const std::string& file, int how) {
  const int fd = ::open(file.c_str(), how | O_CLOEXEC);
  if (fd < 0) return false;
  ::close(fd);
  return true;
}

bool makes_child(unsigned long flags) {
  const long child = ::syscall(SYS_clone, flags | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (child == 0) ::_exit(0);
  if (child > 0) ::waitpid(static_cast<pid_t>(child), nullptr, __WCLONE);
  return child > 0;
}

void on_process(std::vector<Attack>& attacks, const std::string& whose, pid_t pid) {
  const auto add = [&](const std::string& name, std::function<bool()> attack) {
    attacks.emplace_back(name + " of " + whose, std::move(attack));
  };
  const std::string proc = "/proc/" + std::to_string(pid) + "/";
  add("mem", [=] { return opens(proc + "mem", O_RDWR); });
  add("environ", [=] { return opens(proc + "environ", O_RDONLY); });
  add("oom_score_adj", [=] { return opens(proc + "oom_score_adj", O_WRONLY); });
  add("ptrace", [=] { return !refused(::ptrace(PTRACE_SEIZE, pid, nullptr, nullptr)); });
  add("process_vm_readv", [=] {
    char byte = 0;
    iovec local{&byte, 1};
    iovec remote{&byte, 1};
    return !refused(::process_vm_readv(pid, &local, 1, &remote, 1, 0));
  });
  add("kill", [=] { return !refused(::kill(pid, SIGCONT)); });
  add("kill of the group", [=] { return !refused(::kill(-::getpgid(pid), SIGCONT)); });
  add("tgkill", [=] { return !refused(::syscall(SYS_tgkill, pid, pid, SIGCONT)); });
  add("tkill", [=] { return !refused(::syscall(SYS_tkill, pid, SIGCONT)); });
  add("sigqueue", [=] { return !refused(::sigqueue(pid, SIGCONT, {})); });
  add("kill of a thread", [=] {
    for (pid_t thread = pid + 1; thread < pid + 50; ++thread) {
      if (::getpgid(thread) == ::getpgid(pid) && ::kill(thread, SIGCONT) == 0) return true;
    }
    return false;
  });
  add("pidfd", [=] {
    const int fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    const bool gets = ::syscall(SYS_pidfd_getfd, fd, 0, 0) >= 0;
    const bool signals = ::syscall(SYS_pidfd_send_signal, fd, SIGCONT, nullptr, 0) == 0;
    ::close(fd);
    return gets || signals;
  });
  add("a descriptor's owner", [=] {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return true;
    f_owner_ex owner{F_OWNER_PID, pid};
    int number = pid;
    const bool through = !refused(::fcntl(ends[0], F_SETOWN, pid)) ||
                         !refused(::fcntl(ends[0], F_SETOWN, -::getpgid(pid))) ||
                         !refused(::fcntl(ends[0], F_SETOWN_EX, &owner)) ||
                         !refused(::ioctl(ends[0], FIOSETOWN, &number)) ||
                         !refused(::ioctl(ends[0], SIOCSPGRP, &number));
    ::close(ends[0]);
    ::close(ends[1]);
    return through;
  });
  add("prlimit", [=] {
    rlimit limit{};
    return ::prlimit(pid, RLIMIT_NOFILE, nullptr, &limit) == 0 &&
           !refused(::prlimit(pid, RLIMIT_NOFILE, &limit, nullptr));
  });
  add("affinity", [=] {
    cpu_set_t all;
    ::sched_getaffinity(0, sizeof all, &all);
    return !refused(::sched_setaffinity(pid, sizeof all, &all));
  });
  add("scheduling", [=] {
    const sched_param param{};
    return !refused(::sched_setscheduler(pid, SCHED_OTHER, &param)) ||
           !refused(::sched_setparam(pid, &param));
  });
  add("nice", [=] { return !refused(::setpriority(PRIO_PROCESS, static_cast<id_t>(pid), 0)); });
  add("ioprio", [=] {
    constexpr int kProcess = 1;  // <linux/ioprio.h> cannot be included by C++
    return !refused(::syscall(SYS_ioprio_set, kProcess, pid, 0));
  });
}

void on_the_machine(std::vector<Attack>& attacks) {
  const auto add = [&](const std::string& name, std::function<bool()> attack) {
    attacks.emplace_back(name, std::move(attack));
  };
  add("kill of all", [] { return !refused(::kill(-1, SIGCONT)); });
  add("nice of the user", [] { return !refused(::setpriority(PRIO_USER, 0, 0)); });
  add("a child of the runtime's", [] { return makes_child(CLONE_PARENT); });
  for (const auto& [name, flag] : {std::pair{"user", CLONE_NEWUSER}, {"mount", CLONE_NEWNS}}) {
    add(std::string("clone of a name space: ") + name,
        [flag = flag] { return makes_child(static_cast<unsigned long>(flag)); });
    add(std::string("unshare of a name space: ") + name,
        [flag = flag] { return !refused(::unshare(flag)); });
  }
  add("setsid", [] { return !refused(::setsid()); });
  add("setpgid", [] { return !refused(::setpgid(0, ::getppid())); });
  add("mount", [] { return !refused(::mount(nullptr, "/proc", nullptr, MS_PRIVATE, nullptr)); });
  add("clock", [] {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return !refused(::clock_settime(CLOCK_REALTIME, &now));
  });
  add("host name", [] {
    char name[256] = "";
    ::gethostname(name, sizeof name - 1);
    return !refused(::sethostname(name, std::strlen(name)));
  });
  add("kernel module", [] { return !refused(::syscall(SYS_init_module, nullptr, 0, "")); });
  add("bpf", [] { return !refused(::syscall(SYS_bpf, -1, nullptr, 0)); });
  add("io_uring", [] { return !refused(::syscall(SYS_io_uring_setup, 0, nullptr)); });
  add("terminal", [] {
    char c = 'x';
    return !refused(::ioctl(0, TIOCSTI, &c));
  });
}

void on_its_bonds(std::vector<Attack>& attacks) {
  attacks.emplace_back("core dumps", [] {
    rlimit limit{};
    return ::getrlimit(RLIMIT_CORE, &limit) != 0 || limit.rlim_max != 0;
  });
  attacks.emplace_back("new privileges",
                       [] { return ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1; });
  attacks.emplace_back("processes without a bound", [] {
    rlimit limit{};
    return ::getuid() != 0 &&
           (::getrlimit(RLIMIT_NPROC, &limit) != 0 || limit.rlim_max > 1'000'000);
  });
  attacks.emplace_back("to be the last to go", [] {
    int score = 0;
    return !(std::ifstream("/proc/self/oom_score_adj") >> score) || score < 500;
  });
  // Its own are standard input, output and error, its socket, its doorbell and its memory.
  attacks.emplace_back("descriptors", [] {
    for (int fd = 6; fd < 1'024; ++fd) {
      if (::fcntl(fd, F_GETFD) < 0) continue;
      std::error_code error;
      const auto target =
          std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd), error);
      const std::string name = target.filename().string();
      if (name.find("deeds") == std::string::npos) return true;
    }
    return false;
  });
}

}  // namespace

std::string attacks_that_go_through(pid_t host, pid_t neighbour) {
  std::vector<Attack> attacks;
  on_process(attacks, "the runtime", host);
  if (neighbour != 0) on_process(attacks, "another worker", neighbour);
  on_the_machine(attacks);
  on_its_bonds(attacks);
  std::string names;
  for (const auto& [name, goes_through] : attacks) {
    if (goes_through()) names += (names.empty() ? "" : ", ") + name;
  }
  return names.empty() ? "none" : names;
}

std::string rights_that_are_missing() {
  std::vector<Attack> rights;
  rights.emplace_back("to end a child", [] {
    pid_t child = 0;
    char name[] = "sleep";
    char time[] = "600";
    char* const arguments[] = {name, time, nullptr};
    if (::posix_spawnp(&child, name, nullptr, nullptr, arguments, environ) != 0) return false;
    int status = 0;
    return ::kill(child, 0) == 0 && ::kill(child, SIGTERM) == 0 &&
           ::waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
           WTERMSIG(status) == SIGTERM;
  });
#ifndef __SANITIZE_THREAD__  // which does not go on in a copy of a process that has threads
  rights.emplace_back("to end a copy of itself", [] {
    const pid_t child = ::fork();
    if (child == 0) {
      for (;;) ::pause();
    }
    int status = 0;
    ::kill(child, SIGTERM);
    return ::waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
           WTERMSIG(status) == SIGTERM;
  });
  rights.emplace_back("of a child to abort", [] {
    const pid_t child = ::fork();
    if (child == 0) std::abort();
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
  });
#endif
  rights.emplace_back("to pin and renice its threads", [] {
    bool done = false;
    std::thread([&done] {
      cpu_set_t all;
      ::sched_getaffinity(0, sizeof all, &all);
      const auto thread = static_cast<id_t>(::syscall(SYS_gettid));
      done = ::pthread_setaffinity_np(::pthread_self(), sizeof all, &all) == 0 &&
             ::setpriority(PRIO_PROCESS, thread, 5) == 0;
    }).join();
    return done;
  });
  rights.emplace_back("to signal its threads", [] {
    return ::pthread_kill(::pthread_self(), SIGCONT) == 0 && ::kill(0, SIGCONT) == 0;
  });
  rights.emplace_back("to be told of input", [] {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return false;
    const bool may = ::fcntl(ends[0], F_SETOWN, ::getpid()) == 0;
    ::close(ends[0]);
    ::close(ends[1]);
    return may;
  });
  std::string missing;
  for (const auto& [name, has] : rights) {
    if (!has()) missing += (missing.empty() ? "" : ", ") + name;
  }
  return missing.empty() ? "nothing" : missing;
}

namespace {

constexpr std::size_t kPiece = std::size_t{16} << 20;
constexpr std::size_t kAll = std::size_t{2} << 30;

}  // namespace

bool eat_shared_memory() {
  // The first line of what is read of it has its name.
  std::ofstream("/proc/self/comm") << "RssShmem: 0";
  for (std::size_t eaten = 0; eaten < kAll; eaten += kPiece) {
    void* const piece =
        ::mmap(nullptr, kPiece, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (piece == MAP_FAILED) return false;
    std::memset(piece, 1, kPiece);
  }
  return true;
}

bool eat_memory_file() {
  const int fd = ::memfd_create("meal", MFD_CLOEXEC);
  if (fd < 0 || ::ftruncate(fd, kAll) != 0) return false;
  auto* const all =
      static_cast<char*>(::mmap(nullptr, kAll, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  if (all == MAP_FAILED) return false;
  for (std::size_t eaten = 0; eaten < kAll; eaten += kPiece) {
    std::memset(all + eaten, 1, kPiece);
    // Nobody can look at every page: it is given the time in which it is looked at.
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

void fill_doorbell() {
  constexpr int kDoorbell = 4;
  ::fcntl(kDoorbell, F_SETFL, 0);  // whoever writes to a full one waits
  // And whenever it is read it is filled again at once.
  for (int i = 0; i < 4; ++i) {
    std::thread([] {
      const std::uint64_t most = ~std::uint64_t{0} - 1;
      while (::write(kDoorbell, &most, sizeof most) > 0) {
      }
    }).detach();
  }
}

std::string start_program_with_timeout() {
  const auto began = std::chrono::steady_clock::now();
  pid_t child = 0;
  char shell[] = "sh";
  char option[] = "-c";
  char script[] =
      // 32 and 33 are the C library's own, and it has every program that it spawns ignore them.
      "grep -E '^Sig(Blk|Ign):' /proc/self/status | grep -vE '\\s0*(180000000)?$' >&2 && exit 3;"
      "timeout --foreground 1 sleep 600; exit $?";
  char* const arguments[] = {shell, option, script, nullptr};
  if (::posix_spawnp(&child, shell, nullptr, nullptr, arguments, environ) != 0)
    return "not started";
  int status = 0;
  // A blocked signal is never delivered, and its program is not ended before this is.
  while (::waitpid(child, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() - began > std::chrono::seconds(30)) {
      ::kill(child, SIGKILL);
      return "not ended by its timeout";
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return "exit " + std::to_string(WEXITSTATUS(status));
}

namespace {
thread_local sigjmp_buf way_out;
void leave(int) {
  siglongjmp(way_out, 1);
}
}  // namespace

__attribute__((no_sanitize("undefined", "address", "thread"))) bool catch_fault() {
  struct sigaction mine {};
  struct sigaction before {};
  mine.sa_handler = leave;
  mine.sa_flags = SA_NODEFER;
  ::sigaction(SIGSEGV, &mine, &before);
  const bool caught = sigsetjmp(way_out, 1) != 0;
  if (!caught) {
    volatile int* volatile nowhere = nullptr;
    *nowhere = 1;  // NOLINT: that is what it is for
  }
  ::sigaction(SIGSEGV, &before, nullptr);
  return caught;
}

}  // namespace hostile
