#include "offline/child.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/file.hpp"

namespace triggerctl {
namespace {

using triggerd::errno_text;
using triggerd::fail;
using triggerd::UniqueFd;

// The child must not outlive its parent: nobody would read its events.
[[noreturn]] void be_the_child(const std::function<int(Events&)>& body, int fd) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::signal(SIGPIPE, SIG_IGN);
  // What the plugin itself prints must not get into the JSON.
  if (json_wanted()) ::dup2(STDERR_FILENO, STDOUT_FILENO);
  Events events(fd);
  const int code = body(events);
  std::fflush(nullptr);
  ::_exit(code);
}

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

std::string signal_name(int number) {
  const char* const name = ::sigabbrev_np(number);
  return name == nullptr ? fmt::format("signal {}", number) : fmt::format("SIG{}", name);
}

class Reader {
 public:
  Reader(int fd, const std::function<void(const Json&)>& on_event) : fd_(fd), on_event_(on_event) {}

  // Reads the child's events to the end. False: it was silent for too long.
  bool read(Millis silence) {
    for (;;) {
      pollfd readable{.fd = fd_, .events = POLLIN, .revents = 0};
      const int ready = ::poll(&readable, 1, static_cast<int>(silence.count()));
      if (ready < 0 && errno == EINTR) continue;
      if (ready <= 0) return false;
      std::array<char, 4096> piece{};
      const ssize_t got = ::read(fd_, piece.data(), piece.size());
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return true;
      take(std::string_view(piece.data(), static_cast<std::size_t>(got)));
    }
  }
  const std::string& stage() const { return stage_; }

 private:
  void take(std::string_view piece) {
    buffer_.append(piece);
    for (std::size_t end = 0; (end = buffer_.find('\n')) != std::string::npos;) {
      const Json event = Json::parse(buffer_.substr(0, end), nullptr, false);
      buffer_.erase(0, end + 1);
      if (!event.is_object()) continue;
      if (event.value("event", "") == "stage") {
        stage_ = event.value("stage", "");
      } else {
        on_event_(event);
      }
    }
  }

  const int fd_;
  const std::function<void(const Json&)>& on_event_;
  std::string buffer_;
  std::string stage_;
};

}  // namespace

void Events::send(const Json& event) {
  const std::string line = event.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
  const triggerd::MutexLock lock(mutex_);
  for (std::string_view left = line; !left.empty();) {
    const ssize_t put = ::write(fd_, left.data(), left.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return;
    left.remove_prefix(static_cast<std::size_t>(put));
  }
}

void Events::stage(const std::string& words) {
  send({{"event", "stage"}, {"stage", words}});
}

Result<ChildEnd> run_in_child(const std::function<int(Events&)>& body,
                              const std::function<void(const Json&)>& on_event, Millis silence) {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail("cannot create a pipe: {}", errno_text(errno));
  UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) return fail("cannot start a process: {}", errno_text(errno));
  if (pid == 0) {
    ours.reset();
    be_the_child(body, theirs.get());
  }
  theirs.reset();
  Reader reader(ours.get(), on_event);
  const bool told_all = reader.read(silence);
  if (!told_all) ::kill(pid, SIGKILL);
  const int status = wait_for(pid);
  ChildEnd end{.signal = {}, .silent = !told_all, .code = 0, .stage = reader.stage()};
  if (told_all && WIFSIGNALED(status)) end.signal = signal_name(WTERMSIG(status));
  if (WIFEXITED(status)) end.code = WEXITSTATUS(status);
  return end;
}

Result<StageFolder> StageFolder::make() {
  std::error_code error;
  std::string name = (std::filesystem::temp_directory_path(error) / "triggerctl-XXXXXX").string();
  if (error || ::mkdtemp(name.data()) == nullptr) {
    return fail("cannot create the folder {}; set TMPDIR to a writable folder", name);
  }
  return StageFolder(name);
}

StageFolder::~StageFolder() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace triggerctl
