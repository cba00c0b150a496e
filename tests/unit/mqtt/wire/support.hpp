// For tests of the layer under the MQTT library, without the library: socket pairs, and the
// functions that the library's calls become.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "mqtt/wire/table.hpp"
#include "mqtt/wire/wire.hpp"
#include "support/tcp_state.hpp"
#include "unit/mqtt/wire/socket_bytes.hpp"

// NOLINTBEGIN(bugprone-reserved-identifier): the linker chose the prefix.
extern "C" {
int __wrap_connect(int fd, const sockaddr* address, socklen_t length);
ssize_t __wrap_recv(int fd, void* to, size_t size, int flags);
ssize_t __wrap_writev(int fd, const iovec* parts, int count);
int __wrap_poll(pollfd* fds, nfds_t count, int timeout_ms);
int __wrap_close(int fd);
int __wrap_usleep(useconds_t time);
void __wrap_Thread_set_name(const char* name);
int __wrap_SSL_connect(SSL* ssl);
int __wrap_SSL_read(SSL* ssl, void* to, int size);
int __wrap_SSL_write(SSL* ssl, const void* from, int size);
int __wrap_SSL_pending(const SSL* ssl);
int __wrap_SSL_get_error(const SSL* ssl, int result);
int __wrap_SSL_shutdown(SSL* ssl);
}
// NOLINTEND(bugprone-reserved-identifier)

namespace triggerd::mqtt::wire::test {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// No wait of these tests takes longer, and none that works comes near.
constexpr auto kBound = 30s;
constexpr int kBoundMs = 30'000;

// A thread is a receive thread from its first read to its end, so each test has its own.
template <class Body>
void on_own_thread(Body body) {
  std::signal(SIGPIPE, SIG_IGN);  // as the library does
  std::thread(std::move(body)).join();
}

// Ours is the library's end; both ends are non-blocking.
class Pair {
 public:
  enum class Kind { local, tcp };
  // `room`: SO_SNDBUF of our end; 0: as it comes.
  explicit Pair(Kind kind = Kind::local, int room = 0) {
    if (kind == Kind::local) {
      int ends[2] = {-1, -1};
      EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
      ours_ = ends[0];
      peer_ = ends[1];
    } else {
      connect_tcp();
    }
    if (room > 0) {
      EXPECT_EQ(::setsockopt(ours_, SOL_SOCKET, SO_SNDBUF, &room, sizeof room), 0);
    }
  }
  ~Pair() {
    close_ours();
    close_peer();
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  int ours() const { return ours_; }
  int peer() const { return peer_; }
  std::shared_ptr<Link> link() const { return link_of(ours_); }
  void close_ours() {
    if (ours_ >= 0) __wrap_close(std::exchange(ours_, -1));
  }
  void close_peer() {
    if (peer_ >= 0) ::close(std::exchange(peer_, -1));
  }
  // The peer's end is the caller's.
  int take_peer() { return std::exchange(peer_, -1); }
  void peer_sends(std::string_view bytes) const {
    EXPECT_EQ(::send(peer_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // All that has arrived at the peer by now.
  std::string peer_has() const { return bytes_at(peer_); }
  // At least `size` bytes, or what came within the bound.
  std::string peer_gets(std::size_t size) const {
    std::string all = peer_has();
    const auto until = Clock::now() + kBound;
    while (all.size() < size && Clock::now() < until) {
      pollfd p{.fd = peer_, .events = POLLIN, .revents = 0};
      ::poll(&p, 1, 100);
      all += peer_has();
    }
    return all;
  }
  // Fills the socket on our side behind the link's back; how many bytes that took.
  std::size_t fill() const {
    const std::string some(4096, 'f');
    std::size_t filled = 0;
    ssize_t sent = 0;
    while ((sent = ::send(ours_, some.data(), some.size(), MSG_NOSIGNAL)) > 0) {
      filled += static_cast<std::size_t>(sent);
    }
    // With TCP the kernel makes room when the peer acknowledges, or by a timer.
    const auto until = Clock::now() + kBound;
    for (bool full = false; !full && Clock::now() < until;) {
      full = triggerd::test::tcp_is_full(ours_);
      while (::send(ours_, some.data(), 1, MSG_NOSIGNAL) == 1) {
        ++filled;
        full = false;
      }
      if (!full) std::this_thread::sleep_for(1ms);
    }
    return filled;
  }

 private:
  void connect_tcp() {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listener, any, length), 0);
    EXPECT_EQ(::listen(listener, 1), 0);
    EXPECT_EQ(::getsockname(listener, any, &length), 0);
    ours_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(__wrap_connect(ours_, any, length), 0);
    EXPECT_EQ(::fcntl(ours_, F_SETFL, O_NONBLOCK), 0);
    peer_ = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    EXPECT_GE(peer_, 0);
    ::close(listener);
  }

  int ours_ = -1;
  int peer_ = -1;
};

inline std::string ack_bytes(AckKind kind, std::uint16_t id) {
  constexpr char kFirst[] = {0x40, 0x50, 0x70};
  return {kFirst[static_cast<std::size_t>(kind)], 2, static_cast<char>(id >> 8),
          static_cast<char>(id & 0xff)};
}
inline std::string puback(std::uint16_t id) {
  return ack_bytes(AckKind::puback, id);
}

// PINGREQ and PINGRESP.
inline const std::string kPingRequest("\xc0\x00", 2);
inline const std::string kPingAnswer("\xd0\x00", 2);

inline ssize_t library_writes(int fd, std::string_view bytes) {
  const iovec part{.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
  return __wrap_writev(fd, &part, 1);
}
inline std::string library_reads(int fd, std::size_t size) {
  std::string bytes(size, '\0');
  const ssize_t got = __wrap_recv(fd, bytes.data(), size, 0);
  bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return bytes;
}
// What the library's poll says of one descriptor; `revents` of it.
inline short library_polls(int fd, int timeout_ms, short events = POLLIN) {
  pollfd p{.fd = fd, .events = events, .revents = 0};
  return __wrap_poll(&p, 1, timeout_ms) > 0 ? p.revents : static_cast<short>(0);
}
// Polls as the receive thread until `done`, or the bound; whether it came.
template <class Done>
bool polls_until(int fd, Done done) {
  const auto until = Clock::now() + kBound;
  while (!done()) {
    if (Clock::now() > until) return false;
    library_polls(fd, 20);
  }
  return true;
}
// Takes what an earlier test left in the waker.
inline void forget_wakes() {
  pollfd none{.fd = -1, .events = POLLIN, .revents = 0};
  __wrap_poll(&none, 1, 0);
}
// Whether waiting costs hardly any processor time.
inline bool sleeps_in_poll(int fd) {
  const auto used = [] {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
  };
  const auto before = used();
  const auto began = Clock::now();
  for (int i = 0; i < 3; ++i) library_polls(fd, 100);
  return (used() - before) * 4 < Clock::now() - began;
}

}  // namespace triggerd::mqtt::wire::test
