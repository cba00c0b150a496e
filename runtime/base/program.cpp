#include "base/program.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "base/file.hpp"
#include "base/text.hpp"
#include "base/units.hpp"

namespace triggerd {
namespace {

constexpr std::size_t kMaxErrorLine = 200;

bool is_program(const std::string& path) {
  struct stat about {};
  return ::stat(path.c_str(), &about) == 0 && S_ISREG(about.st_mode) &&
         ::access(path.c_str(), X_OK) == 0;
}

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return fail("cannot make a pipe: {}", errno_text(errno));
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// The arguments of posix_spawn(), which frees what they hold.
class Spawn {
 public:
  Spawn(int output, int errors) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions_, output, 1);
    ::posix_spawn_file_actions_adddup2(&actions_, errors, 2);
    ::posix_spawn_file_actions_addclosefrom_np(&actions_, 3);
    ::posix_spawnattr_init(&attributes_);
    sigset_t none;
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    sigset_t all;
    ::sigfillset(&all);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    ::posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~Spawn() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  Spawn(const Spawn&) = delete;
  Spawn& operator=(const Spawn&) = delete;

  Result<pid_t> start(const std::string& file, const std::vector<std::string>& command) {
    std::vector<char*> arguments;
    arguments.reserve(command.size() + 1);
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    pid_t pid = -1;
    const int error =
        ::posix_spawn(&pid, file.c_str(), &actions_, &attributes_, arguments.data(), environ);
    if (error != 0) return fail("cannot run {}: {}", file, errno_text(error));
    return pid;
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

// A program that runs, in its own group. Killed and reaped at the end.
class Running {
 public:
  explicit Running(pid_t pid)
      : pid_(pid), pidfd_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}
  ~Running() { (void)end(); }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  int end_fd() const { return pidfd_.get(); }  // readable once it has ended; -1: not known
  // Kills what is left of its group, and returns how the program itself ended. nullopt: nobody
  // knows, because SIGCHLD is ignored.
  std::optional<int> end() {
    if (reaped_) return status_;
    ::kill(-pid_, SIGKILL);
    int status = 0;
    pid_t found = -1;
    do {
      found = ::waitpid(pid_, &status, 0);
    } while (found < 0 && errno == EINTR);
    if (found == pid_) status_ = status;
    reaped_ = true;
    return status_;
  }

 private:
  const pid_t pid_;
  const UniqueFd pidfd_;
  std::optional<int> status_;
  bool reaped_ = false;
};

// Reads what there is. False: nothing comes any more.
bool read_some(int fd, std::string& into) {
  for (int rounds = 0; rounds < 16; ++rounds) {  // so that bounds are looked at in between
    std::array<char, 4096> buffer{};
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno == EAGAIN;
    if (got == 0) return false;
    into.append(buffer.data(), static_cast<std::size_t>(got));
    if (static_cast<std::size_t>(got) < buffer.size()) return true;
  }
  return true;
}

// The last line that is not empty, for people.
std::string last_line(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  const std::size_t begin = text.rfind('\n');
  if (begin != std::string_view::npos) text.remove_prefix(begin + 1);
  return printable(text.substr(0, kMaxErrorLine));
}

std::string with_last_line(const std::string& what, std::string_view errors) {
  const std::string line = last_line(errors);
  return line.empty() ? what : what + ": " + line;
}

class Conversation {
 public:
  Conversation(const ProgramRun& run, const Clock& clock, int end, int output, int errors)
      : run_(run),
        clock_(clock),
        list_{{{end, POLLIN, 0},
               {output, POLLIN, 0},
               {errors, POLLIN, 0},
               {run.give_up_fd, POLLIN, 0}}} {}

  // Reads until the program has ended; what others hold open then does not count. An error: it does
  // not end.
  Result<> read_all() {
    const Monotonic until = clock_.now() + run_.timeout;
    for (;;) {
      const auto left = std::chrono::ceil<Millis>(until - clock_.now());
      if (left.count() <= 0) {
        return fail("{}", with_last_line(fmt::format("it has not ended within {}",
                                                     format_duration(run_.timeout)),
                                         errors_));
      }
      if (::poll(list_.data(), list_.size(), static_cast<int>(left.count())) < 0) continue;
      if (list_[kGiveUp].revents != 0) return fail("given up");
      take(kOutput, output_);
      take(kErrors, errors_);
      if (output_.size() > run_.max_output) {
        return fail("it has written more than {} bytes", run_.max_output);
      }
      // Only its end counts.
      if (errors_.size() > 4 * kMaxErrorLine) errors_.erase(0, errors_.size() - 2 * kMaxErrorLine);
      if (list_[kEnd].revents != 0) return {};
    }
  }

  std::string& output() { return output_; }
  const std::string& errors() const { return errors_; }

 private:
  enum Which : std::size_t { kEnd, kOutput, kErrors, kGiveUp };

  void take(Which which, std::string& into) {
    const bool ready = list_[which].revents != 0 || list_[kEnd].revents != 0;
    if (list_[which].fd >= 0 && ready && !read_some(list_[which].fd, into)) list_[which].fd = -1;
  }

  const ProgramRun& run_;
  const Clock& clock_;
  std::array<pollfd, 4> list_;
  std::string output_;
  std::string errors_;
};

}  // namespace

Result<std::string> find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    if (is_program(name)) return name;
    return fail("{} is no program: no such file, or it may not be executed", name);
  }
  const char* variable = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): nobody sets any
  std::string_view path = variable == nullptr ? "/usr/local/bin:/usr/bin:/bin" : variable;
  for (;;) {
    const std::size_t end = path.find(':');
    const std::string candidate = fmt::format("{}/{}", path.substr(0, end), name);
    if (path.substr(0, end).starts_with('/') && !name.empty() && is_program(candidate)) {
      return candidate;
    }
    if (end == std::string_view::npos) return fail("there is no program \"{}\" in PATH", name);
    path.remove_prefix(end + 1);
  }
}

Result<std::string> run_program(const ProgramRun& run, const Clock& clock) {
  auto file = find_program(run.command.front());
  if (!file) return file;
  auto output = make_pipe();
  if (!output) return tl::make_unexpected(output.error());
  auto errors = make_pipe();
  if (!errors) return tl::make_unexpected(errors.error());
  const auto pid = Spawn(output->write.get(), errors->write.get()).start(*file, run.command);
  if (!pid) return tl::make_unexpected(pid.error());
  Running program(*pid);
  if (program.end_fd() < 0) return fail("cannot watch {}: {}", *file, errno_text(errno));
  output->write.reset();
  errors->write.reset();

  Conversation conversation(run, clock, program.end_fd(), output->read.get(), errors->read.get());
  if (auto read = conversation.read_all(); !read) return tl::make_unexpected(read.error());
  const auto ended = program.end();
  if (!ended) return fail("whether it has succeeded is not known: SIGCHLD is ignored");
  const int status = *ended;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return std::move(conversation.output());
  const std::string how = WIFEXITED(status) ? fmt::format("exit code {}", WEXITSTATUS(status))
                                            : fmt::format("ended by signal {}", WTERMSIG(status));
  return fail("{}", with_last_line(how, conversation.errors()));
}

}  // namespace triggerd
