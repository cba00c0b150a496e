#include "plugin/isolation/child.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

#include "base/passing.hpp"

namespace triggerd::plugin::isolation {
namespace {

// Out of the way of the numbers that the worker's descriptors get.
UniqueFd lifted(int fd) {
  return UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, kMemoryFd + 1));
}

}  // namespace

Result<Child> Child::start(const std::filesystem::path& program, int socket, int doorbell,
                           int memory) {
  const std::array<UniqueFd, 3> given{lifted(socket), lifted(doorbell), lifted(memory)};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, given[0].get(), kSocketFd);
  posix_spawn_file_actions_adddup2(&actions, given[1].get(), kDoorbellFd);
  posix_spawn_file_actions_adddup2(&actions, given[2].get(), kMemoryFd);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  std::string name = program.string();
  std::string option = "--worker";
  char* const arguments[] = {name.data(), option.data(), nullptr};
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, name.c_str(), &actions, &attributes, arguments, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    return fail_with(error, "cannot start a worker process (isolation = \"none\" needs none): {}",
                     name);
  }
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  const int why = errno;
  Child child(pid, std::move(pidfd));
  if (child.pidfd() < 0) {
    return fail_with(why, "cannot watch a worker process; isolation needs Linux 5.3");
  }
  return child;
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)), pidfd_(std::move(other.pidfd_)) {}

Child::~Child() {
  if (pid_ > 0) static_cast<void>(end());
}

bool Child::wait(Monotonic deadline, const Clock& clock) const {
  for (;;) {
    const auto left = std::chrono::ceil<Millis>(deadline - clock.now());
    pollfd ended{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
    const int ready = ::poll(&ended, 1, static_cast<int>(std::max<Millis::rep>(left.count(), 0)));
    if (ready < 0 && errno == EINTR) continue;
    return ready > 0;
  }
}

std::string Child::end() {
  // Not reaped yet, so the number is still this group's.
  ::kill(-pid_, SIGKILL);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
  return ending(status);
}

std::string ending(int status) {
  if (WIFEXITED(status)) return fmt::format("exit status {}", WEXITSTATUS(status));
  const char* const name = ::sigabbrev_np(WTERMSIG(status));
  return name == nullptr ? fmt::format("signal {}", WTERMSIG(status)) : fmt::format("SIG{}", name);
}

}  // namespace triggerd::plugin::isolation
