// Frames on the socket between host and worker: type, size, bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/mutex.hpp"

namespace triggerd::plugin::isolation {

struct Frame {
  std::uint32_t type = 0;
  std::string bytes;
};

// The host's end: it never waits, and believes nothing that it reads. [link], without a lock.
class HostSocket {
 public:
  // The most bytes that a frame of this type may have now; 0: none of this type is allowed.
  using Longest = std::function<std::size_t(std::uint32_t type)>;
  HostSocket(UniqueFd fd, Longest longest, const Clock& clock)
      : fd_(std::move(fd)), longest_(std::move(longest)), clock_(clock) {}

  int fd() const { return fd_.get(); }
  // Sends it now or with a later flush().
  void send(std::uint32_t type, std::string bytes);
  void flush();
  bool has_unsent() const { return !unsent_.empty(); }
  // Reads what is there.
  enum class State { open, closed, protocol_error };
  State receive();
  // The next whole frame.
  std::optional<Frame> next();
  // When the frame began to come of which only a part is here yet; nullopt: there is none.
  std::optional<Monotonic> unfinished_since() const { return since_; }
  // The descriptor that came with a frame, if one did. The kernel discards all that come later.
  UniqueFd take_descriptor();

 private:
  UniqueFd fd_;
  std::deque<std::string> unsent_;
  std::size_t sent_ = 0;  // of the first one

  bool take_in(std::string_view piece);
  bool begin_body();
  void keep_descriptor(void* message);

  const Longest longest_;
  const Clock& clock_;
  std::array<char, 8> head_{};
  std::size_t head_size_ = 0;  // of it, received
  Frame body_;
  std::size_t body_size_ = 0;  // announced
  std::deque<Frame> frames_;
  std::optional<Monotonic> since_;
  bool wants_descriptor_ = true;
  UniqueFd descriptor_;
};

// The worker's end, which waits: send() from any thread, under a lock of its own; receive() from
// one.
class WorkerSocket {
 public:
  explicit WorkerSocket(int fd) : fd_(fd) {}

  void send(std::uint32_t type, std::string_view bytes);
  // With a descriptor.
  void send_with(int fd, std::uint32_t type, std::string_view bytes);
  // nullopt: the host has gone.
  std::optional<Frame> receive();

 private:
  void write_all(std::string_view bytes) const;
  bool read_all(char* into, std::size_t size) const;

  const int fd_;
  Mutex sending_;
};

}  // namespace triggerd::plugin::isolation
