#include "plugin/isolation/frames.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace triggerd::plugin::isolation {
namespace {

struct Head {
  std::uint32_t type;
  std::uint32_t size;
};

// In one turn of the link thread, so that a worker that talks without end cannot keep it.
constexpr std::size_t kMaxTurn = std::size_t{1} << 20;

}  // namespace

// ---- The host's ----

void HostSocket::send(std::uint32_t type, std::string bytes) {
  const Head head{type, static_cast<std::uint32_t>(bytes.size())};
  unsent_.emplace_back(reinterpret_cast<const char*>(&head), sizeof head);
  unsent_.push_back(std::move(bytes));
  flush();
}

void HostSocket::flush() {
  while (!unsent_.empty()) {
    const std::string& piece = unsent_.front();
    if (sent_ < piece.size()) {
      const ssize_t sent = ::send(fd_.get(), piece.data() + sent_, piece.size() - sent_,
                                  MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0) return;  // full, or gone, which receive() will see
      sent_ += static_cast<std::size_t>(sent);
      if (sent_ < piece.size()) continue;
    }
    unsent_.pop_front();
    sent_ = 0;
  }
}

HostSocket::State HostSocket::receive() {
  std::array<char, 65'536> piece;
  // Aligned as CMSG_FIRSTHDR expects it.
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control;
  for (std::size_t turn = 0; turn < kMaxTurn;) {
    iovec part{.iov_base = piece.data(), .iov_len = piece.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (wants_descriptor_) {
      message.msg_control = control.data();
      message.msg_controllen = control.size();
    }
    const ssize_t got = ::recvmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (got <= 0) return State::closed;
    if (wants_descriptor_) keep_descriptor(&message);
    if (!take_in({piece.data(), static_cast<std::size_t>(got)})) return State::protocol_error;
    turn += static_cast<std::size_t>(got);
  }
  if (head_size_ == 0) {
    since_.reset();
  } else if (!since_) {
    since_ = clock_.now();
  }
  return State::open;
}

// False: what it announces is longer than it may be.
bool HostSocket::take_in(std::string_view piece) {
  while (!piece.empty()) {
    if (head_size_ < head_.size()) {
      const std::size_t part = std::min(head_.size() - head_size_, piece.size());
      std::memcpy(head_.data() + head_size_, piece.data(), part);
      head_size_ += part;
      piece.remove_prefix(part);
      if (head_size_ < head_.size()) return true;
      if (!begin_body()) return false;
    }
    const std::size_t part = std::min(body_size_ - body_.bytes.size(), piece.size());
    if (body_.bytes.size() + part > body_.bytes.capacity()) body_.bytes.reserve(body_size_);
    body_.bytes.append(piece.substr(0, part));
    piece.remove_prefix(part);
    if (body_.bytes.size() < body_size_) return true;
    frames_.push_back(std::exchange(body_, {}));
    head_size_ = 0;
    since_.reset();
  }
  return true;
}

// What is announced is believed only as far as it comes: no memory is set aside for a large frame
// before some of it is there.
bool HostSocket::begin_body() {
  Head head{};
  std::memcpy(&head, head_.data(), sizeof head);
  if (head.size > longest_(head.type)) return false;
  body_.type = head.type;
  body_size_ = head.size;
  body_.bytes.reserve(std::min(body_size_, kMaxTurn));
  return true;
}

void HostSocket::keep_descriptor(void* message) {
  auto* const received = static_cast<msghdr*>(message);
  const cmsghdr* const control = CMSG_FIRSTHDR(received);
  if (control == nullptr || control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) {
    return;
  }
  // The space for one, aligned, is enough for two, and we have to close each that was received.
  const std::size_t received_count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  for (std::size_t i = 0; i < received_count; ++i) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(control) + i * sizeof fd, sizeof fd);
    UniqueFd received_fd(fd);
    if (received_count == 1) {
      descriptor_ = std::move(received_fd);
      wants_descriptor_ = false;
    }
  }
}

UniqueFd HostSocket::take_descriptor() {
  wants_descriptor_ = false;
  return std::exchange(descriptor_, UniqueFd());
}

std::optional<Frame> HostSocket::next() {
  if (frames_.empty()) return std::nullopt;
  Frame frame = std::move(frames_.front());
  frames_.pop_front();
  return frame;
}

// ---- The worker's ----

void WorkerSocket::send_with(int fd, std::uint32_t type, std::string_view bytes) {
  const Head head{type, static_cast<std::uint32_t>(bytes.size())};
  iovec part{.iov_base = const_cast<Head*>(&head), .iov_len = sizeof head};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* const rights = CMSG_FIRSTHDR(&message);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(rights), &fd, sizeof fd);
  const MutexLock lock(sending_);
  // So few bytes go whole, or the host has gone.
  if (::sendmsg(fd_, &message, MSG_NOSIGNAL) == sizeof head) write_all(bytes);
}

void WorkerSocket::send(std::uint32_t type, std::string_view bytes) {
  const Head head{type, static_cast<std::uint32_t>(bytes.size())};
  const MutexLock lock(sending_);
  write_all({reinterpret_cast<const char*>(&head), sizeof head});
  write_all(bytes);
}

void WorkerSocket::write_all(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return;  // the host has gone, which receive() sees
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

std::optional<Frame> WorkerSocket::receive() {
  Head head{};
  if (!read_all(reinterpret_cast<char*>(&head), sizeof head)) return std::nullopt;
  Frame frame{.type = head.type, .bytes = std::string(head.size, '\0')};
  if (!read_all(frame.bytes.data(), frame.bytes.size())) return std::nullopt;
  return frame;
}

bool WorkerSocket::read_all(char* into, std::size_t size) const {
  while (size > 0) {
    const ssize_t got = ::recv(fd_, into, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    into += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

}  // namespace triggerd::plugin::isolation
