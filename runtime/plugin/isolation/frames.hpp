// Frames on the socket between host and worker: type, size, bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/file.hpp"
#include "base/mutex.hpp"

namespace triggerd::plugin::isolation {

struct Frame {
  std::uint32_t type = 0;
  std::string bytes;
};

// The host's end: it never waits, and believes nothing. [link]
class HostSocket {
 public:
  explicit HostSocket(UniqueFd fd) : fd_(std::move(fd)) {}

  int fd() const { return fd_.get(); }
  // Sends it now or with a later flush().
  void send(std::uint32_t type, std::string bytes);
  void flush();
  bool has_unsent() const { return !unsent_.empty(); }
  // Reads what is there.
  enum class State { open, closed, rubbish };
  State receive();
  // The next whole frame.
  std::optional<Frame> next();

 private:
  UniqueFd fd_;
  std::deque<std::string> unsent_;
  std::size_t sent_ = 0;  // of the first one
  std::string received_;
  std::size_t taken_ = 0;  // of what was received
};

// The worker's end: it waits. send() from any thread, receive() from one.
class WorkerSocket {
 public:
  explicit WorkerSocket(int fd) : fd_(fd) {}

  void send(std::uint32_t type, std::string_view bytes);
  // nullopt: the host has gone.
  std::optional<Frame> receive();

 private:
  bool read_all(char* into, std::size_t size) const;

  const int fd_;
  Mutex sending_;
};

}  // namespace triggerd::plugin::isolation
