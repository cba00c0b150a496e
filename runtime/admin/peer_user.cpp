#include "admin/peer_user.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

#include "base/file.hpp"

namespace triggerd::admin {
namespace {

// The two ends as the other process has them: its address is what we call the peer's.
struct Ends {
  int family = AF_UNSPEC;
  std::array<std::uint32_t, 4> theirs{};  // network order, as the kernel prints and takes them
  std::array<std::uint32_t, 4> ours{};
  std::uint16_t their_port = 0;  // network order
  std::uint16_t our_port = 0;
};

bool put(const sockaddr_storage& from, std::array<std::uint32_t, 4>& address, std::uint16_t& port) {
  if (from.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(from);
    address[0] = v4.sin_addr.s_addr;
    port = v4.sin_port;
    return true;
  }
  if (from.ss_family != AF_INET6) return false;
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(from);
  std::memcpy(address.data(), &v6.sin6_addr, sizeof address);
  port = v6.sin6_port;
  return true;
}

std::optional<Ends> ends_of(int fd) {
  sockaddr_storage ours{};
  sockaddr_storage theirs{};
  socklen_t size = sizeof ours;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&ours), &size) != 0) return std::nullopt;
  size = sizeof theirs;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&theirs), &size) != 0) return std::nullopt;
  Ends ends;
  ends.family = ours.ss_family;
  if (ours.ss_family != theirs.ss_family || !put(ours, ends.ours, ends.our_port) ||
      !put(theirs, ends.theirs, ends.their_port)) {
    return std::nullopt;
  }
  return ends;
}

// A socket that its process has closed has no inode, and the kernel then gives 0 as its user: that
// is not root.
std::optional<uid_t> owner(std::uint32_t inode, uid_t user) {
  if (inode == 0) return std::nullopt;
  return user;
}

// Whether sock_diag has ever found a socket here: then it is there, and what it does not find is
// not.
std::atomic<bool> has_sock_diag{false};

// sock_diag(7). nullopt: it cannot be asked, or knows no such socket.
std::optional<uid_t> by_netlink(const Ends& ends) {
  const UniqueFd netlink(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!netlink) return std::nullopt;
  struct {
    nlmsghdr header;
    inet_diag_req_v2 request;
  } question{};
  question.header.nlmsg_len = sizeof question;
  question.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  question.header.nlmsg_flags = NLM_F_REQUEST;
  inet_diag_req_v2& request = question.request;
  request.sdiag_family = static_cast<std::uint8_t>(ends.family);
  request.sdiag_protocol = IPPROTO_TCP;
  request.idiag_states = ~0U;
  request.id.idiag_sport = ends.their_port;
  request.id.idiag_dport = ends.our_port;
  std::memcpy(request.id.idiag_src, ends.theirs.data(), sizeof request.id.idiag_src);
  std::memcpy(request.id.idiag_dst, ends.ours.data(), sizeof request.id.idiag_dst);
  request.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
  request.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  if (::send(netlink.get(), &question, sizeof question, MSG_DONTWAIT) !=
      static_cast<ssize_t>(sizeof question)) {
    return std::nullopt;
  }
  alignas(nlmsghdr) std::array<char, 4096> answer{};
  // The kernel answers within the call above.
  const ssize_t got = ::recv(netlink.get(), answer.data(), answer.size(), MSG_DONTWAIT);
  if (got < static_cast<ssize_t>(NLMSG_LENGTH(sizeof(inet_diag_msg)))) return std::nullopt;
  const auto* header = reinterpret_cast<const nlmsghdr*>(answer.data());
  if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY) return std::nullopt;
  inet_diag_msg message{};
  std::memcpy(&message, answer.data() + NLMSG_HDRLEN, sizeof message);
  // It looks for a listener where there is no such connection.
  if (message.id.idiag_sport != ends.their_port || message.id.idiag_dport != ends.our_port) {
    return std::nullopt;
  }
  has_sock_diag = true;
  return owner(message.idiag_inode, message.idiag_uid);
}

std::string in_hex(const Ends& ends, const std::array<std::uint32_t, 4>& address,
                   std::uint16_t port) {
  char text[64];
  std::string out;
  for (std::size_t i = 0; i < (ends.family == AF_INET ? 1U : 4U); ++i) {
    (void)std::snprintf(text, sizeof text, "%08X", address[i]);
    out += text;
  }
  (void)std::snprintf(text, sizeof text, ":%04X", ntohs(port));
  return out + text;
}

// Where the kernel has no sock_diag. proc(5): /proc/net/tcp.
std::optional<uid_t> by_proc(const Ends& ends) {
  std::ifstream in(ends.family == AF_INET ? "/proc/self/net/tcp" : "/proc/self/net/tcp6");
  const std::string wanted = in_hex(ends, ends.theirs, ends.their_port) + " " +
                             in_hex(ends, ends.ours, ends.our_port) + " ";
  std::string line;
  while (std::getline(in, line)) {
    const std::size_t at = line.find(wanted);
    if (at == std::string::npos) continue;
    std::istringstream rest(line.substr(at + wanted.size()));
    std::string state;
    std::string queues;
    std::string timer;
    std::string retransmits;
    std::uint32_t user = 0;
    std::uint32_t timeout = 0;
    std::uint32_t inode = 0;
    if (rest >> state >> queues >> timer >> retransmits >> user >> timeout >> inode) {
      return owner(inode, user);
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<uid_t> peer_user(int fd) {
  const auto ends = ends_of(fd);
  if (!ends) return std::nullopt;
  if (const auto user = by_netlink(*ends)) return user;
  // Reading all sockets of the machine for each that is closed at once would be a client's to
  // abuse.
  return has_sock_diag ? std::nullopt : by_proc(*ends);
}

bool is_own_user(uid_t user) {
  // The kernel's word for "of another user namespace", which may be anybody.
  static const uid_t nobody = [] {
    uid_t number = 65'534;
    std::ifstream("/proc/sys/kernel/overflowuid") >> number;
    return number;
  }();
  return user != nobody && (user == 0 || user == ::geteuid());
}

}  // namespace triggerd::admin
