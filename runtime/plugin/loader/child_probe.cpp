#include "plugin/loader/child_probe.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <string>

#include "base/file.hpp"
#include "base/passing.hpp"
#include "base/text.hpp"

namespace triggerd::plugin {
namespace {

constexpr std::size_t kMaxSaid = 2'000;

// A child that is killed where nobody waits for it any more.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    wait();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    return status;
  }

 private:
  pid_t pid_;
};

// What is read until the other end is closed. nullopt: not by `deadline`.
std::optional<std::string> read_all(int fd, Monotonic deadline, const Clock& clock) {
  std::string said;
  for (;;) {
    const auto left = std::chrono::ceil<Millis>(deadline - clock.now());
    pollfd readable{.fd = fd, .events = POLLIN, .revents = 0};
    const int ready =
        ::poll(&readable, 1, static_cast<int>(std::max<Millis::rep>(left.count(), 0)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return std::nullopt;
    std::array<char, 512> piece{};
    const ssize_t got = ::read(fd, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return said;
    said.append(piece.data(), static_cast<std::size_t>(got));
    if (said.size() > kMaxSaid) said.erase(0, said.size() - kMaxSaid);  // the last line counts
  }
}

// As few of our own things as possible: its output, and signals that work.
Result<pid_t> spawn(const std::filesystem::path& program, const std::filesystem::path& file,
                    int output) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  std::string name = program.string();
  std::string option = "--probe";
  std::string argument = file.string();
  std::string is_private = "--private";
  char* const arguments[] = {name.data(), option.data(), argument.data(), is_private.data(),
                             nullptr};
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, name.c_str(), &actions, &attributes, arguments, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return fail_with(error, "cannot be probed: {}", name);
  return pid;
}

// Why the child could not load `file`: what its last line says behind the file's name, which is our
// copy's. Lines before it are the plugin's own, which may know more.
std::string reason_in(std::string_view said, const std::filesystem::path& file) {
  while (said.ends_with('\n')) said.remove_suffix(1);
  const auto begin = said.rfind('\n');
  std::string_view reason = begin == said.npos ? said : said.substr(begin + 1);
  const std::string_view before = begin == said.npos ? "" : said.substr(0, begin);
  const auto named = reason.find(file.native());
  if (named != reason.npos) {
    reason.remove_prefix(std::min(reason.size(), named + file.native().size() + 1));
  }
  std::string text = printable(reason, kMaxSaid);
  if (!before.empty()) text += "; it said: " + printable(before, kMaxSaid);
  return text;
}

}  // namespace

Result<> probe_in_child(const std::filesystem::path& program, const std::filesystem::path& file,
                        Millis timeout, const Clock& clock) {
  const Monotonic deadline = clock.now() + timeout;
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_with(errno, "cannot be probed");
  const UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  const auto pid = spawn(program, file, theirs.get());
  if (!pid) return tl::make_unexpected(pid.error());
  Child child(*pid);
  theirs.reset();
  const auto said = read_all(ours.get(), deadline, clock);
  if (!said) {
    return fail(
        "did not load within {} ms in a process of its own; a constructor or its entry "
        "function does not return",
        timeout.count());
  }
  const int status = child.wait();
  // One that ends the process by exit() looks well but for what is missing.
  const bool said_ok = said->find(": ok: ") != std::string::npos;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && said_ok) return {};
  if (WIFSIGNALED(status)) {
    const char* const name = ::sigabbrev_np(WTERMSIG(status));
    return fail(
        "ended the process that loaded it as a trial: SIG{}, in a "
        "constructor, its entry function or a destructor",
        name == nullptr ? std::to_string(WTERMSIG(status)) : name);
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    return fail(
        "ended the process that loaded it as a trial: by exit, in a constructor, its "
        "entry function or a destructor");
  }
  if (said->empty()) return fail("cannot be loaded; the process that tried said nothing");
  return fail("{}", reason_in(*said, file));
}

}  // namespace triggerd::plugin
