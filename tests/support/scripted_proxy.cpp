#include "support/scripted_proxy.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <optional>
#include <system_error>

namespace triggerd::test {
namespace {

using namespace std::string_literals;

bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

// Exactly so many: what is behind them is for the server. Fewer where the client has gone.
std::string read_bytes(int fd, std::size_t count) {
  std::string bytes(count, '\0');
  std::size_t got = 0;
  while (got < count) {
    const ssize_t more = ::recv(fd, bytes.data() + got, count - got, 0);
    if (more <= 0) break;
    got += static_cast<std::size_t>(more);
  }
  bytes.resize(got);
  return bytes;
}

// A byte, or -1.
int read_byte(int fd) {
  const std::string byte = read_bytes(fd, 1);
  return byte.empty() ? -1 : static_cast<unsigned char>(byte[0]);
}

std::string read_counted(int fd) {
  const int size = read_byte(fd);
  return size <= 0 ? std::string() : read_bytes(fd, static_cast<std::size_t>(size));
}

// The value of a header field, as it came.
std::string field_of(const std::string& head, const std::string& name) {
  const std::size_t at = head.find("\r\n" + name + ": ");
  if (at == std::string::npos) return {};
  const std::size_t begin = at + name.size() + 4;
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

std::string from_base64(const std::string& text) {
  static const std::string kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  unsigned bits = 0;
  int have = 0;
  for (const char c : text) {
    const std::size_t digit = kDigits.find(c);
    if (digit == std::string::npos) break;
    bits = bits << 6U | static_cast<unsigned>(digit);
    have += 6;
    if (have < 8) continue;
    have -= 8;
    bytes += static_cast<char>(bits >> static_cast<unsigned>(have) & 0xffU);
  }
  return bytes;
}

// What comes from either side, until one of them ends.
void relay(int one, int other) {
  for (;;) {
    pollfd ends[2] = {{one, POLLIN, 0}, {other, POLLIN, 0}};
    if (::poll(ends, 2, -1) < 0) {
      if (errno == EINTR) continue;
      return;
    }
    for (int i = 0; i < 2; ++i) {
      if (ends[i].revents == 0) continue;
      char bytes[16384];
      const ssize_t came = ::recv(ends[i].fd, bytes, sizeof bytes, 0);
      if (came <= 0) return;
      if (!send_all(ends[1 - i].fd, {bytes, static_cast<std::size_t>(came)})) return;
    }
  }
}

}  // namespace

ScriptedProxy::ScriptedProxy(ScriptedProxyOptions options) : options_(std::move(options)) {
  start();
}

ScriptedProxy::~ScriptedProxy() {
  if (acceptor_.joinable()) stop();
}

std::string ScriptedProxy::url(const std::string& login) const {
  return fmt::format("{}://{}{}127.0.0.1:{}", options_.kind == ProxyKind::http ? "http" : "socks5",
                     login, login.empty() ? "" : "@", port());
}

std::vector<ScriptedProxy::Asked> ScriptedProxy::asked() const {
  MutexLock lock(mutex_);
  return asked_;
}

void ScriptedProxy::start() {
  stopping_ = false;
  listener_ = listen_on_loopback(port());
  acceptor_ = std::thread([this] { accept_all(); });
}

void ScriptedProxy::stop() {
  stopping_ = true;
  ::shutdown(listener_.get(), SHUT_RDWR);  // wakes accept()
  acceptor_.join();
  listener_.reset();
  std::list<Connection> open;
  {
    MutexLock lock(mutex_);
    open.swap(open_);
    for (Connection& connection : open) {
      ::shutdown(connection.fd.get(), SHUT_RDWR);
      if (connection.server) ::shutdown(connection.server.get(), SHUT_RDWR);
    }
  }
  for (Connection& connection : open) connection.thread.join();
}

void ScriptedProxy::accept_all() {
  for (;;) {
    UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (stopping_) return;
    if (!fd) continue;
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    MutexLock lock(mutex_);
    open_.remove_if([](Connection& connection) {
      if (!connection.ended) return false;
      connection.thread.join();
      return true;
    });
    Connection& connection = open_.emplace_back();
    connection.fd = std::move(fd);
    connection.thread = std::thread([this, &connection] {
      serve(connection);
      ::shutdown(connection.fd.get(), SHUT_RDWR);
      if (connection.server) ::shutdown(connection.server.get(), SHUT_RDWR);
      connection.ended = true;
    });
  }
}

bool ScriptedProxy::say(int fd, const std::string& bytes) const {
  if (!options_.byte_by_byte) return send_all(fd, bytes);
  for (const char byte : bytes) {
    if (!send_all(fd, {&byte, 1})) return false;
    std::this_thread::sleep_for(Millis(1));
  }
  return true;
}

bool ScriptedProxy::is_allowed(const Asked& asked) const {
  return options_.user_name.empty() ||
         (asked.user_name == options_.user_name && asked.password == options_.password);
}

// False: the client was sent away.
bool ScriptedProxy::greet_http(int fd, Asked& asked) const {
  std::string head;
  while (!head.ends_with("\r\n\r\n")) {
    const std::string byte = read_bytes(fd, 1);
    if (byte.empty()) return false;
    head += byte;
  }
  const std::size_t end = head.find(" HTTP/1.1\r\n");
  if (!head.starts_with("CONNECT ") || end == std::string::npos) {
    say(fd, "HTTP/1.1 400 Bad Request\r\n\r\n");
    return false;
  }
  const std::string where = head.substr(8, end - 8);
  const std::size_t colon = where.rfind(':');
  asked.host = where.substr(0, colon);
  std::from_chars(where.data() + colon + 1, where.data() + where.size(), asked.port);
  const std::string login = field_of(head, "Proxy-Authorization");
  if (login.starts_with("Basic ")) {
    const std::string both = from_base64(login.substr(6));
    asked.user_name = both.substr(0, both.find(':'));
    asked.password = both.substr(both.find(':') + 1);
  }
  if (is_allowed(asked)) return true;
  say(fd,
      "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"test\"\r\n"
      "Content-Length: 0\r\n\r\n");
  return false;
}

bool ScriptedProxy::greet_socks(int fd, Asked& asked) const {
  if (read_byte(fd) != 5) return false;
  const std::string methods = read_counted(fd);
  const bool wants_login = !options_.user_name.empty();
  const char method = wants_login ? '\x02' : '\x00';
  if (methods.find(method) == std::string::npos) {
    say(fd, "\x05\xff"s);
    return false;
  }
  say(fd, "\x05"s + method);
  if (wants_login) {
    if (read_byte(fd) != 1) return false;
    asked.user_name = read_counted(fd);
    asked.password = read_counted(fd);
    say(fd, is_allowed(asked) ? "\x01\x00"s : "\x01\x01"s);
    if (!is_allowed(asked)) return false;
  }
  const std::string request = read_bytes(fd, 4);
  if (request.size() < 4 || !request.starts_with("\x05\x01\x00"s)) return false;
  if (request[3] == 3) {
    asked.host = read_counted(fd);
  } else {
    const bool v4 = request[3] == 1;
    const std::string address = read_bytes(fd, v4 ? 4 : 16);
    char text[INET6_ADDRSTRLEN] = "";
    ::inet_ntop(v4 ? AF_INET : AF_INET6, address.data(), text, sizeof text);
    asked.host = text;
    asked.as_address = true;
  }
  const std::string port = read_bytes(fd, 2);
  if (port.size() < 2) return false;
  asked.port = static_cast<std::uint16_t>(static_cast<unsigned char>(port[0]) << 8 |
                                          static_cast<unsigned char>(port[1]));
  return true;
}

std::string ScriptedProxy::answer_to(const Asked& asked, bool found) const {
  if (!options_.answer.empty()) return options_.answer;
  if (options_.kind == ProxyKind::http) {
    return found ? "HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n"
                 : "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n";
  }
  // The address it is bound to: each type has its turn.
  const std::string port("\x12\x34");
  if (!found) return "\x05\x04\x00\x01"s + std::string(4, '\0') + port;
  if (asked.port % 3 == 0) return "\x05\x00\x00\x01\x7f\x00\x00\x01"s + port;
  if (asked.port % 3 == 1) return "\x05\x00\x00\x04"s + std::string(16, '\x01') + port;
  return "\x05\x00\x00\x03\x04"s + "test" + port;
}

void ScriptedProxy::serve(Connection& connection) {
  const int fd = connection.fd.get();
  Asked asked;
  const bool greeted =
      options_.kind == ProxyKind::http ? greet_http(fd, asked) : greet_socks(fd, asked);
  {
    MutexLock lock(mutex_);
    asked_.push_back(asked);
  }
  if (!greeted) return;
  UniqueFd server;
  if (asked.host == "127.0.0.1" || options_.names.contains(asked.host)) {
    server = connect_loopback(asked.port);
  }
  const bool found = static_cast<bool>(server);
  if (found) {
    const timeval none{};  // it waits for as long as the client does
    ::setsockopt(server.get(), SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none);
    MutexLock lock(mutex_);
    if (stopping_) return;
    connection.server = std::move(server);
  }
  if (!say(fd, answer_to(asked, found)) || !found || !options_.answer.empty()) return;
  ++let_through_;
  relay(fd, connection.server.get());
}

}  // namespace triggerd::test
