#include "plugin/isolation/frames.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "plugin/isolation/protocol.hpp"

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
  if (taken_ > 0) {
    received_.erase(0, taken_);
    taken_ = 0;
  }
  std::array<char, 65'536> piece;
  for (std::size_t turn = 0; turn < kMaxTurn;) {
    const ssize_t got = ::recv(fd_.get(), piece.data(), piece.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (got <= 0) return State::closed;
    received_.append(piece.data(), static_cast<std::size_t>(got));
    turn += static_cast<std::size_t>(got);
  }
  Head head{};
  if (received_.size() < sizeof head) return State::open;
  std::memcpy(&head, received_.data(), sizeof head);
  return head.size > kMaxFrame ? State::rubbish : State::open;
}

std::optional<Frame> HostSocket::next() {
  Head head{};
  if (received_.size() - taken_ < sizeof head) return std::nullopt;
  std::memcpy(&head, received_.data() + taken_, sizeof head);
  if (received_.size() - taken_ - sizeof head < head.size) return std::nullopt;
  Frame frame{.type = head.type, .bytes = received_.substr(taken_ + sizeof head, head.size)};
  taken_ += sizeof head + head.size;
  return frame;
}

// ---- The worker's ----

void WorkerSocket::send(std::uint32_t type, std::string_view bytes) {
  const Head head{type, static_cast<std::uint32_t>(bytes.size())};
  const MutexLock lock(sending_);
  for (std::string_view piece :
       {std::string_view(reinterpret_cast<const char*>(&head), sizeof head), bytes}) {
    while (!piece.empty()) {
      const ssize_t sent = ::send(fd_, piece.data(), piece.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) return;  // the host has gone, which receive() sees
      piece.remove_prefix(static_cast<std::size_t>(sent));
    }
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
