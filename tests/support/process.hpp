// Process: a program that a test runs, watches and outlives.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <iosfwd>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/mutex.hpp"
#include "support/eventually.hpp"

namespace triggerd::test {

// How a process ended: by itself with `code`, or by `signal` where that is not 0.
struct Exit {
  int code = 0;
  int signal = 0;
  friend bool operator==(const Exit&, const Exit&) = default;
};
std::ostream& operator<<(std::ostream& out, const Exit& exit);

// One line of what a process wrote to standard output or standard error, without its newline.
struct OutputLine {
  std::size_t index = 0;  // from 0; index + 1 is where to look for the next one
  Monotonic at;
  std::string text;
};

struct ProcessOptions {
  std::filesystem::path cwd;               // empty: the test's
  std::map<std::string, std::string> env;  // beside the test's environment, or instead of a name's
};

// Threads: any thread may call anything. The process lives at most as long as the thread that
// created it (Linux ties PR_SET_PDEATHSIG to that thread), so create it on the test's own.
class Process {
 public:
  // Starts argv[0], an absolute path, with nothing on standard input. Throws when that fails.
  explicit Process(std::vector<std::string> argv, const ProcessOptions& options = {});
  // Kills it, with every process of its group that is left, and reaps it.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Stays this process's until the end of this object, even when it has ended: it is reaped last.
  pid_t pid() const { return pid_; }
  void signal(int number);
  // SIGKILL to it and its group.
  void kill();
  bool running() const;
  // Waits for its end, and then for the rest of its output. nullopt: still running.
  std::optional<Exit> wait(Millis timeout = kPatience);

  // The first line from index `from` on that contains `text`, or suits. nullopt: none came in time,
  // or the output has ended without one.
  std::optional<OutputLine> wait_for_line(std::string_view text, std::size_t from = 0,
                                          Millis timeout = kPatience);
  std::optional<OutputLine> wait_for_line(const std::function<bool(const std::string&)>& suits,
                                          std::size_t from = 0, Millis timeout = kPatience);
  // The same for a line that matches a POSIX extended regular expression.
  std::optional<OutputLine> wait_for_match(const std::string& pattern, std::size_t from = 0,
                                           Millis timeout = kPatience);
  std::vector<OutputLine> lines() const;
  // How many lines there are: hand it to wait_for_line() to look only at later ones.
  std::size_t line_count() const;
  // All lines as one text, for failure messages.
  std::string output() const;

 private:
  std::optional<Exit> poll_exit(Millis timeout) const;
  void read_output();
  void append_lines(std::string& buffer);

  // Constant after construction.
  pid_t pid_ = -1;
  UniqueFd pid_fd_;
  UniqueFd output_fd_;
  UniqueFd stop_fd_;  // an eventfd: ends the reader

  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<OutputLine> lines_ TRIGGERD_GUARDED_BY(mutex_);
  bool output_ended_ TRIGGERD_GUARDED_BY(mutex_) = false;

  std::thread reader_;
};

}  // namespace triggerd::test
