// By itself, not with other sources in one: <linux/tcp.h>, which knows all fields of tcp_info, and
// <netinet/tcp.h> exclude each other.
#include "support/tcp_state.hpp"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <optional>

namespace triggerd::test {
namespace {

std::optional<tcp_info> state_of(int fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
  return info;
}

}  // namespace

std::uint64_t tcp_bytes_received(int fd) {
  const auto info = state_of(fd);
  return info ? info->tcpi_bytes_received : 0;
}

bool tcp_is_full(int fd) {
  const auto info = state_of(fd);
  return !info || (info->tcpi_snd_wnd == 0 && info->tcpi_unacked == 0);
}

}  // namespace triggerd::test
