#include "process.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

namespace exec_plugin {
namespace {

struct Pipe {
  Descriptor read;
  Descriptor write;
};

std::string errno_text(int number) {
  std::array<char, 128> text{};
  return ::strerror_r(number, text.data(), text.size());  // glibc's, which returns the text
}

[[noreturn]] void fail(const std::string& what, int number) {
  throw std::runtime_error(what + ": " + errno_text(number));
}

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail("cannot make a pipe", errno);
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

void set_nonblocking(int fd) {
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

// What the child tells before it has become the program.
struct Report {
  enum class Step { group, directory, program };
  Step step;
  int error;
};

// From fork() to the program: only what is async-signal-safe.
class Child {
 public:
  Child(const Settings& settings, int input, int output, int errors, int report, pid_t parent)
      : program_(settings.program.c_str()),
        directory_(settings.working_dir.c_str()),
        arguments_(pointers(settings.command)),
        environment_(pointers(settings.environment)),
        descriptors_{input, output, errors, report},
        parent_(parent) {}

  [[noreturn]] void become() {
    // A worker process of the runtime does not let anything leave its group.
    if (::setpgid(0, 0) != 0) tell(Report::Step::group, errno);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent_) ::_exit(127);  // it has ended meanwhile
    reset_signals();
    place_descriptors();
    if (*directory_ != '\0' && ::chdir(directory_) != 0) give_up(Report::Step::directory);
    ::execve(program_, arguments_.data(), environment_.data());
    give_up(Report::Step::program);
  }

 private:
  static void reset_signals() {
    struct sigaction by_default {};
    by_default.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; ++number) ::sigaction(number, &by_default, nullptr);
    sigset_t none;
    ::sigemptyset(&none);
    ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
  }
  // Input, output and errors at 0 to 2, the report at 3, and no other descriptor of the runtime.
  void place_descriptors() {
    // First out of the way of the places that they are to have.
    for (int& fd : descriptors_) {
      if (fd >= 4) continue;
      fd = ::fcntl(fd, F_DUPFD_CLOEXEC, 4);
      if (fd < 0) ::_exit(127);
    }
    for (int place = 0; place < 3; ++place) ::dup2(descriptors_[place], place);
    ::dup3(descriptors_[3], 3, O_CLOEXEC);
    descriptors_[3] = 3;
    ::syscall(SYS_close_range, 4U, ~0U, 0U);  // an old kernel has none; ours are O_CLOEXEC
  }
  void tell(Report::Step step, int error) const {
    const Report report{step, error};
    while (::write(descriptors_[3], &report, sizeof(report)) < 0 && errno == EINTR) {
    }
  }
  [[noreturn]] void give_up(Report::Step step) const {
    tell(step, errno);
    ::_exit(127);
  }

  const char* const program_;
  const char* const directory_;
  const std::vector<char*> arguments_;
  const std::vector<char*> environment_;
  std::array<int, 4> descriptors_;
  const pid_t parent_;
};

// Of a child that could not become the program.
void reap(pid_t pid) {
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

// Reads reports until the child has become the program. False: it has no group of its own.
bool wait_for_program(int report_pipe, const Settings& settings, pid_t pid) {
  bool has_group = true;
  for (;;) {
    Report report{};
    const ssize_t got = ::read(report_pipe, &report, sizeof(report));
    if (got < 0 && errno == EINTR) continue;
    if (got != static_cast<ssize_t>(sizeof(report))) return has_group;
    if (report.step == Report::Step::group) {
      has_group = false;
      continue;
    }
    reap(pid);
    const bool program = report.step == Report::Step::program;
    fail("cannot " + std::string(program ? "run " : "enter ") +
             (program ? settings.program : settings.working_dir),
         report.error);
  }
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = other.release();
  }
  return *this;
}

int Descriptor::release() {
  return std::exchange(fd_, -1);
}

void Descriptor::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

std::unique_ptr<Process> Process::start(const Settings& settings) {
  Pipe input = make_pipe();
  Pipe output = make_pipe();
  Pipe errors = make_pipe();
  Pipe report = make_pipe();
  Child child(settings, input.read.get(), output.write.get(), errors.write.get(),
              report.write.get(), ::getpid());
  const pid_t pid = ::fork();
  if (pid < 0) fail("cannot start a process", errno);
  if (pid == 0) child.become();
  report.write.close();
  const bool has_group = wait_for_program(report.read.get(), settings, pid);
  Descriptor pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd.is_open()) {
    const int error = errno;
    ::kill(pid, SIGKILL);
    reap(pid);
    fail("cannot watch a process", error);
  }
  for (const int fd : {input.write.get(), output.read.get(), errors.read.get()}) {
    set_nonblocking(fd);
  }
  return std::unique_ptr<Process>(new Process(pid, has_group, std::move(pidfd),
                                              std::move(input.write), std::move(output.read),
                                              std::move(errors.read)));
}

Process::Process(pid_t pid, bool has_group, Descriptor pidfd, Descriptor input, Descriptor output,
                 Descriptor errors)
    : pid_(pid),
      has_group_(has_group),
      pidfd_(std::move(pidfd)),
      input_(std::move(input)),
      output_(std::move(output)),
      errors_(std::move(errors)) {}

Process::~Process() {
  if (!ended_) {
    signal(SIGKILL);
    reap(pid_);
  }
}

void Process::signal(int number) const {
  if (!ended_) ::kill(has_group_ ? -pid_ : pid_, number);
}

std::optional<std::string> Process::ended() {
  if (ended_) return ended_;
  siginfo_t info{};
  // It is looked at first and reaped then, so that its number, and with that its group's, is not
  // given to another process before the rest of the group is ended.
  const int options = WEXITED | WNOHANG | WNOWAIT;
  const int found = ::waitid(P_PID, static_cast<id_t>(pid_), &info, options);
  if (found != 0 && errno == ECHILD) {  // where SIGCHLD is ignored, nobody learns more
    ended_ = "it ended";
    return ended_;
  }
  if (found != 0 || info.si_pid != pid_) return std::nullopt;
  if (has_group_) ::kill(-pid_, SIGKILL);
  reap(pid_);
  if (info.si_code == CLD_EXITED) {
    ended_ = "exit code " + std::to_string(info.si_status);
  } else {
    const char* name = ::sigdescr_np(info.si_status);
    ended_ = "ended by signal " + std::to_string(info.si_status) +
             (name == nullptr ? "" : " (" + std::string(name) + ")");
  }
  return ended_;
}

}  // namespace exec_plugin
