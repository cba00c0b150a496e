#include "config/server_address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <string>

#include "base/text.hpp"
namespace triggerd::config {
namespace {

constexpr std::size_t kMaxHost = 253;  // RFC 1035, section 2.3.4, without the root's dot

// Letters, digits, and the punctuation of host names, IPv4 addresses and interface names.
bool is_host_text(std::string_view text) {
  return !text.empty() && text.size() <= kMaxHost &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '.' || c == '_';
         });
}

// With or without a zone: "fe80::1%eth0" (RFC 4007, section 11).
bool is_ipv6(std::string_view text) {
  const std::size_t percent = text.find('%');
  if (percent != std::string_view::npos && !is_host_text(text.substr(percent + 1))) return false;
  in6_addr address{};
  return ::inet_pton(AF_INET6, std::string(text.substr(0, percent)).c_str(), &address) == 1;
}

Result<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) {
    return fail("the port must be a number from 1 to 65535");
  }
  return port;
}

Result<> parse_scheme(std::string_view text, Server& server) {
  const std::string scheme = lower_case(text);
  if (scheme == "ws" || scheme == "wss") {
    server.scheme = scheme == "ws" ? Server::Scheme::ws : Server::Scheme::wss;
    server.port = scheme == "ws" ? 80 : 443;
    server.path = "/mqtt";
  } else if (scheme == "ssl" || scheme == "tls" || scheme == "mqtts") {
    server.scheme = Server::Scheme::ssl;
    server.port = 8883;
  } else if (scheme != "tcp" && scheme != "mqtt") {
    return fail("the scheme must be tcp, mqtt, ws, ssl, mqtts or wss, as in tcp://HOST:PORT");
  }
  return {};
}

Result<> parse_path(std::string_view path, Server& server) {
  if (path.empty()) return {};
  if (!server.is_websocket()) {
    return fail("only a WebSocket address (ws:// or wss://) has a path; end with the port");
  }
  // A query could carry a token, and addresses are written into log lines.
  const bool plain = std::all_of(path.begin(), path.end(), [](char c) {
    return c > ' ' && c < '\x7f' && c != '?' && c != '#';
  });
  if (!plain) {
    return fail("the path must be printable ASCII without spaces, \"?\" and \"#\"");
  }
  server.path = path;
  return {};
}

std::string_view name_of(Server::Scheme scheme) {
  switch (scheme) {
    case Server::Scheme::tcp:
      return "tcp";
    case Server::Scheme::ws:
      return "ws";
    case Server::Scheme::ssl:
      return "ssl";
    case Server::Scheme::wss:
      return "wss";
  }
  return "";
}

}  // namespace

Result<> parse_host_and_port(std::string_view text, std::string_view example, std::string& host,
                             std::uint16_t& port) {
  std::string_view behind;
  bool has_port = false;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    const std::string_view rest =
        close == std::string_view::npos ? std::string_view() : text.substr(close + 1);
    const std::string_view address =
        text.substr(1, close == std::string_view::npos ? close : close - 1);
    if (close == std::string_view::npos || !is_ipv6(address) || (!rest.empty() && rest[0] != ':')) {
      return fail("the text in brackets must be an IPv6 address, as in {}", example);
    }
    host = lower_case(address);
    has_port = !rest.empty();
    if (has_port) behind = rest.substr(1);
  } else {
    const std::size_t colon = text.find(':');
    if (colon != std::string_view::npos && text.find(':', colon + 1) != std::string_view::npos) {
      return fail("an IPv6 address must be in brackets, as in {}", example);
    }
    host = lower_case(text.substr(0, colon));
    if (!is_host_text(host)) {
      return fail("the host name may contain only letters, digits, \"-\", \".\" and \"_\"");
    }
    has_port = colon != std::string_view::npos;
    if (has_port) behind = text.substr(colon + 1);
  }
  if (!has_port) return {};
  const auto number = parse_port(behind);
  if (!number) return tl::make_unexpected(number.error());
  port = *number;
  return {};
}

Result<Server> parse_server(std::string_view text) {
  const std::size_t separator = text.find("://");
  const std::size_t start = separator == std::string_view::npos ? 0 : separator + 3;
  const std::string_view behind = text.substr(start);
  const std::size_t slash = behind.find('/');
  const std::string_view authority = behind.substr(0, slash);
  if (authority.find('@') != std::string_view::npos) {
    return fail(
        "user name and password belong in user_name and password; write SCHEME://HOST:PORT");
  }
  if (separator == std::string_view::npos) {
    return fail(
        "the scheme is missing; write tcp://HOST:PORT, ssl://HOST:PORT, ws://HOST:PORT or "
        "wss://HOST:PORT");
  }
  Server server;
  if (auto done = parse_scheme(text.substr(0, separator), server); !done) {
    return tl::make_unexpected(done.error());
  }
  if (auto done = parse_host_and_port(authority, "tcp://[::1]:1883", server.host, server.port);
      !done) {
    return tl::make_unexpected(done.error());
  }
  const std::string_view path =
      slash == std::string_view::npos ? std::string_view() : behind.substr(slash);
  if (auto done = parse_path(path, server); !done) return tl::make_unexpected(done.error());
  return server;
}

std::string to_string(const Server& server) {
  const bool ipv6 = server.host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}{}", name_of(server.scheme), ipv6 ? "[" : "", server.host,
                     ipv6 ? "]" : "", server.port, server.path);
}

}  // namespace triggerd::config
