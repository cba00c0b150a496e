// A program that runs: its pipes, its end.
//
// Nothing here waits, but for the program's start and, in the destructor, for the end of what was
// killed. Threads: one.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

#include "settings.hpp"

namespace exec_plugin {

// Closes what it holds.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { close(); }
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return fd_; }  // -1: none
  bool is_open() const { return fd_ >= 0; }
  int release();
  void close();

 private:
  int fd_ = -1;
};

class Process {
 public:
  // Starts the command, in a process group of its own where that is possible. It ends with the
  // thread that calls this. Throws std::runtime_error that says what failed.
  static std::unique_ptr<Process> start(const Settings& settings);
  // Kills it, and all that is left in its group.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Pipes that do not block. The input can be closed.
  Descriptor& input() { return input_; }
  int output() const { return output_.get(); }
  int errors() const { return errors_.get(); }
  // Readable once it has ended.
  int end() const { return pidfd_.get(); }

  pid_t pid() const { return pid_; }
  // Sends a signal to the whole group.
  void signal(int number) const;
  // How it ended, in words: "exit code 3", "ended by signal 9 (Killed)". nullopt: it runs.
  std::optional<std::string> ended();

 private:
  Process(pid_t pid, bool has_group, Descriptor pidfd, Descriptor input, Descriptor output,
          Descriptor errors);

  const pid_t pid_;
  const bool has_group_;
  Descriptor pidfd_;
  Descriptor input_;
  Descriptor output_;
  Descriptor errors_;
  std::optional<std::string> ended_;
};

}  // namespace exec_plugin
