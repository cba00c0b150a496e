#include "config/proxy_address.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>

#include "base/text.hpp"
#include "config/server_address.hpp"

namespace triggerd::config {
namespace {

constexpr std::size_t kMaxSocksField = 255;  // RFC 1929, section 2
constexpr std::size_t kMaxHttpField = 4096;  // what proxies take in one header field
constexpr std::uint16_t kHttpPort = 8080;
constexpr std::uint16_t kSocksPort = 1080;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// RFC 3986, section 3.2.1, and letters beyond ASCII; but without "'", which ends an address in a
// connection string, so that secrets.cpp finds the end of every password.
bool stands_as_it_is(char c) {
  constexpr std::string_view kOthers = "-._~!$&()*+,;=";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         static_cast<unsigned char>(c) >= 0x80 || kOthers.find(c) != std::string_view::npos;
}

Result<std::string> decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      if (!stands_as_it_is(text[i])) {
        return fail(
            "user name and password may contain only letters, digits and -._~!$&()*+,;= as they "
            "are; write other characters as %XX, for example \"@\" as %40");
      }
      out += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      return fail(
          "a \"%\" in user name or password must be followed by two hexadecimal digits; write %25 "
          "for a plain \"%\"");
    }
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

Result<> parse_login(std::string_view text, Proxy& proxy) {
  const std::size_t colon = text.find(':');
  auto user_name = decoded(text.substr(0, colon));
  if (!user_name) return tl::make_unexpected(user_name.error());
  proxy.user_name = *std::move(user_name);
  if (colon == std::string_view::npos) return {};
  auto password = decoded(text.substr(colon + 1));
  if (!password) return tl::make_unexpected(password.error());
  proxy.password = Secret(*std::move(password));
  return {};
}

bool is_plain_text(std::string_view text) {
  return is_utf8(text) && std::none_of(text.begin(), text.end(), [](char c) {
           return static_cast<unsigned char>(c) < ' ' || c == '\x7f';
         });
}

}  // namespace

Result<> check_login(const Proxy& proxy) {
  const bool http = proxy.scheme == Proxy::Scheme::http;
  const std::string& password = proxy.password.reveal();
  if (proxy.user_name.empty() && !password.empty()) {
    return fail("a password without a user name; write USER:PASSWORD@ or USER@");
  }
  if (!is_plain_text(proxy.user_name) || !is_plain_text(password)) {
    return fail("user name and password must be UTF-8 text on one line");
  }
  const std::size_t most = http ? kMaxHttpField : kMaxSocksField;
  if (proxy.user_name.size() > most || password.size() > most) {
    return fail("user name and password must have at most {} bytes each", most);
  }
  // RFC 7617, section 2.
  if (http && proxy.user_name.find(':') != std::string::npos) {
    return fail("the user name for an HTTP proxy must not contain a \":\"");
  }
  return {};
}

Result<Proxy> parse_proxy(std::string_view text) {
  const std::size_t separator = text.find("://");
  if (separator == std::string_view::npos) {
    return fail("the scheme is missing; write http://HOST:PORT or socks5://HOST:PORT");
  }
  Proxy proxy;
  const std::string scheme = lower_case(text.substr(0, separator));
  if (scheme == "socks5") {
    proxy.scheme = Proxy::Scheme::socks5;
  } else if (scheme != "http") {
    return fail("the scheme must be http or socks5, as in http://HOST:PORT");
  }
  const bool http = proxy.scheme == Proxy::Scheme::http;
  proxy.port = http ? kHttpPort : kSocksPort;
  std::string_view behind = text.substr(separator + 3);
  if (behind.find_first_of("/?#") != std::string_view::npos) {
    return fail(
        "a proxy's address must end with the port; in user name and password write \"/\" as %2F, "
        "\"?\" as %3F and \"#\" as %23");
  }
  const std::size_t at = behind.rfind('@');
  if (at != std::string_view::npos) {
    if (auto done = parse_login(behind.substr(0, at), proxy); !done) {
      return tl::make_unexpected(done.error());
    }
    behind.remove_prefix(at + 1);
  }
  const std::string_view example = http ? "http://[::1]:8080" : "socks5://[::1]:1080";
  if (auto done = parse_host_and_port(behind, example, proxy.host, proxy.port); !done) {
    return tl::make_unexpected(done.error());
  }
  if (auto done = check_login(proxy); !done) return tl::make_unexpected(done.error());
  return proxy;
}

std::string to_string(const Proxy& proxy) {
  const bool ipv6 = proxy.host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", proxy.scheme == Proxy::Scheme::http ? "http" : "socks5",
                     ipv6 ? "[" : "", proxy.host, ipv6 ? "]" : "", proxy.port);
}

}  // namespace triggerd::config
