#include "support/process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <regex.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <memory>
#include <ostream>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace triggerd::test {
namespace {

[[noreturn]] void fail_with_errno(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

struct Pipe {
  UniqueFd read, write;
};

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail_with_errno("cannot create a pipe");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::vector<std::string> environment(const std::map<std::string, std::string>& additions) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (!additions.contains(std::string(text.substr(0, text.find('='))))) result.emplace_back(text);
  }
  for (const auto& [name, value] : additions) result.push_back(fmt::format("{}={}", name, value));
  return result;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

struct ChildPlan {
  pid_t parent;
  char** argv;
  char** env;
  const char* cwd;  // nullptr: stay
  int input, output, failure;
};

// Between fork and exec other threads' locks may be held for ever: only system calls here.
[[noreturn]] void become(const ChildPlan& plan) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != plan.parent) ::_exit(127);  // the parent died before the line above
  ::setpgid(0, 0);
  sigset_t none;
  ::sigemptyset(&none);
  ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  ::dup2(plan.input, STDIN_FILENO);
  ::dup2(plan.output, STDOUT_FILENO);
  ::dup2(plan.output, STDERR_FILENO);
  ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  if (plan.cwd == nullptr || ::chdir(plan.cwd) == 0) ::execve(plan.argv[0], plan.argv, plan.env);
  const int error = errno;
  [[maybe_unused]] const ssize_t told = ::write(plan.failure, &error, sizeof error);
  ::_exit(127);
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Exit& exit) {
  if (exit.signal != 0) return out << "killed by signal " << exit.signal;
  return out << "exit code " << exit.code;
}

Process::Process(std::vector<std::string> argv, const ProcessOptions& options) {
  if (argv.empty() || !argv[0].starts_with('/')) {
    throw std::invalid_argument("a program is started by its absolute path");
  }
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  stop_fd_ = UniqueFd(::eventfd(0, EFD_CLOEXEC));
  if (!null || !stop_fd_) fail_with_errno("cannot start " + argv[0]);
  Pipe output = make_pipe();
  Pipe failure = make_pipe();
  std::vector<std::string> env = environment(options.env);
  std::vector<char*> argv_pointers = pointers(argv);
  std::vector<char*> env_pointers = pointers(env);
  const ChildPlan plan{::getpid(),          argv_pointers.data(),
                       env_pointers.data(), options.cwd.empty() ? nullptr : options.cwd.c_str(),
                       null.get(),          output.write.get(),
                       failure.write.get()};

  pid_ = ::fork();
  if (pid_ < 0) fail_with_errno("cannot start " + argv[0]);
  if (pid_ == 0) become(plan);

  output.write.reset();
  failure.write.reset();
  output_fd_ = std::move(output.read);
  pid_fd_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  int error = pid_fd_ ? 0 : errno;
  // The pipe ends without a word once exec has succeeded, and by then the group exists too.
  if (error == 0 && ::read(failure.read.get(), &error, sizeof error) <= 0) error = 0;
  if (error != 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    throw std::system_error(error, std::generic_category(), "cannot start " + argv[0]);
  }
  reader_ = std::thread([this] { read_output(); });
}

Process::~Process() {
  kill();
  ::waitpid(pid_, nullptr, 0);
  const std::uint64_t one = 1;  // somebody who left the group may hold the output open
  [[maybe_unused]] const ssize_t told = ::write(stop_fd_.get(), &one, sizeof one);
  reader_.join();
}

void Process::signal(int number) {
  ::kill(pid_, number);
}

void Process::kill() {
  ::kill(-pid_, SIGKILL);
}

bool Process::running() const {
  return !poll_exit(Millis(0));
}

std::optional<Exit> Process::poll_exit(Millis timeout) const {
  pollfd ended{pid_fd_.get(), POLLIN, 0};
  const Monotonic deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    const auto left = std::chrono::ceil<Millis>(deadline - std::chrono::steady_clock::now());
    const int ready = ::poll(&ended, 1, static_cast<int>(std::max(left, Millis(0)).count()));
    if (ready > 0) break;
    if (ready == 0) return std::nullopt;
    if (errno != EINTR) fail_with_errno("cannot wait for a process");
  }
  // WNOWAIT leaves the zombie, and with it the pid, to the destructor.
  siginfo_t info{};
  if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT) != 0) {
    fail_with_errno("cannot wait for a process");
  }
  if (info.si_code == CLD_EXITED) return Exit{info.si_status, 0};
  return Exit{0, info.si_status};
}

std::optional<Exit> Process::wait(Millis timeout) {
  const std::optional<Exit> exit = poll_exit(timeout);
  if (!exit) return std::nullopt;
  // Bounded, as a descendant that lives on may hold the output open.
  const Monotonic deadline = std::chrono::steady_clock::now() + Millis(2000);
  MutexLock lock(mutex_);
  while (!output_ended_) {
    if (changed_.wait_until(mutex_, deadline) == std::cv_status::timeout) break;
  }
  return exit;
}

std::optional<OutputLine> Process::wait_for_line(std::string_view text, std::size_t from,
                                                 Millis timeout) {
  return wait_for_line(
      [text](const std::string& line) { return line.find(text) != std::string::npos; }, from,
      timeout);
}

// Not std::regex: gcc 12 warns of its headers under the sanitizers, and it is slow to compile.
std::optional<OutputLine> Process::wait_for_match(const std::string& pattern, std::size_t from,
                                                  Millis timeout) {
  regex_t compiled;
  if (::regcomp(&compiled, pattern.c_str(), REG_EXTENDED | REG_NOSUB) != 0) {
    throw std::invalid_argument("not a regular expression: " + pattern);
  }
  const std::unique_ptr<regex_t, void (*)(regex_t*)> owner(&compiled, ::regfree);
  return wait_for_line(
      [&compiled](const std::string& line) {
        return ::regexec(&compiled, line.c_str(), 0, nullptr, 0) == 0;
      },
      from, timeout);
}

std::optional<OutputLine> Process::wait_for_line(
    const std::function<bool(const std::string&)>& suits, std::size_t from, Millis timeout) {
  const Monotonic deadline = std::chrono::steady_clock::now() + timeout;
  std::size_t next = from;
  bool in_time = true;
  MutexLock lock(mutex_);
  for (;;) {
    for (; next < lines_.size(); ++next) {
      if (suits(lines_[next].text)) return lines_[next];
    }
    if (output_ended_ || !in_time) return std::nullopt;
    in_time = changed_.wait_until(mutex_, deadline) == std::cv_status::no_timeout;
  }
}

std::vector<OutputLine> Process::lines() const {
  MutexLock lock(mutex_);
  return lines_;
}

std::size_t Process::line_count() const {
  MutexLock lock(mutex_);
  return lines_.size();
}

std::string Process::output() const {
  MutexLock lock(mutex_);
  std::string text;
  for (const OutputLine& line : lines_) text += line.text + '\n';
  return text;
}

// Moves the whole lines of `buffer` into lines_.
void Process::append_lines(std::string& buffer) {
  const Monotonic now = std::chrono::steady_clock::now();
  MutexLock lock(mutex_);
  std::size_t begin = 0;
  for (std::size_t end; (end = buffer.find('\n', begin)) != std::string::npos; begin = end + 1) {
    lines_.push_back({lines_.size(), now, buffer.substr(begin, end - begin)});
  }
  buffer.erase(0, begin);
  changed_.notify_all();
}

void Process::read_output() {
  std::string buffer;
  char block[65536];
  for (;;) {
    pollfd ready[2] = {{output_fd_.get(), POLLIN, 0}, {stop_fd_.get(), POLLIN, 0}};
    if (::poll(ready, 2, -1) < 0 && errno == EINTR) continue;
    if (ready[0].revents == 0) break;  // told to stop, and nothing is left to read
    const ssize_t got = ::read(output_fd_.get(), block, sizeof block);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    buffer.append(block, static_cast<std::size_t>(got));
    append_lines(buffer);
  }
  if (!buffer.empty()) append_lines(buffer += '\n');
  MutexLock lock(mutex_);
  output_ended_ = true;
  changed_.notify_all();
}

}  // namespace triggerd::test
