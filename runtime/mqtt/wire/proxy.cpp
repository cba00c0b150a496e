#include "mqtt/wire/proxy.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/base64.hpp"
#include "base/text.hpp"

namespace triggerd::mqtt::wire {
namespace {

constexpr std::size_t kMaxHead = 64 << 10;
constexpr std::size_t kMaxLine = 1024;  // that is kept: what is looked at stands in front
constexpr unsigned kMaxInterim = 16;
constexpr std::size_t kShownOfProxy = 32;
constexpr std::size_t kMaxSocksField = 255;
// So much of a login makes it known. Shorter parts are in every text.
constexpr std::size_t kTelling = 4;

// RFC 1928 and 1929.
constexpr char kVersion = 5;
constexpr char kLoginVersion = 1;
constexpr char kNoLogin = 0;
constexpr char kUserPassword = 2;
constexpr char kNoMethod = '\xff';
constexpr char kConnect = 1;
constexpr char kIpv4 = 1;
constexpr char kName = 3;
constexpr char kIpv6 = 4;

// The bytes of a numeric address, empty where it is none. A zone means nothing to another machine.
std::string address_bytes(int family, std::string_view host) {
  std::array<char, 16> bytes{};
  const std::string text(host.substr(0, family == AF_INET6 ? host.find('%') : host.npos));
  if (::inet_pton(family, text.c_str(), bytes.data()) != 1) return {};
  return {bytes.data(), family == AF_INET6 ? sizeof(in6_addr) : sizeof(in_addr)};
}

bool is_one_word(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

std::string_view reply_text(unsigned reply) {
  constexpr std::array<std::string_view, 9> kTexts{"",
                                                   "general failure",
                                                   "not allowed by its rules",
                                                   "its network cannot be reached",
                                                   "it cannot be reached",
                                                   "it refused the connection",
                                                   "it did not answer in time",
                                                   "the proxy does not support CONNECT",
                                                   "the proxy does not support this address type"};
  return reply < kTexts.size() ? kTexts[reply] : "unknown reason";
}

char byte_of(std::size_t number) {
  return static_cast<char>(static_cast<unsigned char>(number));
}

}  // namespace

ProxyHandshake::ProxyHandshake(const config::Proxy& proxy, Target target)
    : proxy_(proxy), target_(std::move(target)) {
  if (!proxy_.user_name.empty()) {
    in_base64_ = base64(proxy_.user_name + ':' + proxy_.password.reveal());
  }
  // It becomes part of a request.
  if (!is_one_word(target_.host) || target_.host.size() > kMaxSocksField) {
    fail_with(
        "the proxy cannot be asked for the server: its host name must be 1 to 255 ASCII "
        "characters");
  } else if (proxy_.scheme == config::Proxy::Scheme::http) {
    begin_http();
  } else {
    begin_socks();
  }
}

std::string ProxyHandshake::take_output() {
  return std::exchange(output_, {});
}

std::size_t ProxyHandshake::receive(std::string_view bytes) {
  const bool http = step_ == Step::http_status || step_ == Step::http_headers;
  std::size_t taken = 0;
  while (taken < bytes.size() && step_ != Step::done && step_ != Step::failed) {
    const char byte = bytes[taken++];
    behind_ = bytes.substr(taken);
    if (http) {
      take_http(byte);
    } else {
      take_socks(byte);
    }
  }
  behind_ = {};
  return taken;
}

void ProxyHandshake::ended() {
  if (step_ == Step::done || step_ == Step::failed) return;
  fail_with("the proxy closed the connection before it answered");
}

void ProxyHandshake::fail_with(std::string why) {
  step_ = Step::failed;
  fault_ = std::move(why);
  output_.clear();
}

void ProxyHandshake::speaks_otherwise(std::string_view protocol) {
  const std::string shown =
      (came_ + std::string(behind_.substr(0, kShownOfProxy))).substr(0, kShownOfProxy);
  fail_with(could_tell_login(shown)
                ? fmt::format("the proxy does not speak {}: its answer is not shown, because "
                              "it could reveal the password",
                              protocol)
                : fmt::format("the proxy does not speak {}: it answered with \"{}\"", protocol,
                              printable(shown, kShownOfProxy * 4)));
}

// Something that sends back what it gets, for one.
bool ProxyHandshake::could_tell_login(std::string_view shown) const {
  for (const std::string& secret : {proxy_.user_name, proxy_.password.reveal(), in_base64_}) {
    if (secret.empty()) continue;
    const std::size_t part = std::min(secret.size(), kTelling);
    for (std::size_t at = 0; at + part <= secret.size(); ++at) {
      if (shown.find(std::string_view(secret).substr(at, part)) != std::string_view::npos)
        return true;
    }
  }
  return false;
}

// ---- HTTP ----

void ProxyHandshake::begin_http() {
  const bool ipv6 = target_.host.find(':') != std::string::npos;
  const std::string where =
      ipv6 ? fmt::format("[{}]:{}", target_.host.substr(0, target_.host.find('%')), target_.port)
           : fmt::format("{}:{}", target_.host, target_.port);
  output_ = fmt::format("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n", where);
  if (!proxy_.user_name.empty()) {
    output_ += fmt::format("Proxy-Authorization: Basic {}\r\n", in_base64_);
  }
  output_ += "\r\n";
  step_ = Step::http_status;
}

void ProxyHandshake::take_http(char byte) {
  constexpr std::string_view kBegin = "HTTP/1.";
  if (++head_ > kMaxHead) {
    fail_with(fmt::format("the proxy answered with more than {} bytes of header fields", kMaxHead));
    return;
  }
  if (byte == '\n') {
    if (came_.ends_with('\r')) came_.pop_back();
    if (step_ == Step::http_status) {
      status_line();
    } else if (came_.empty()) {
      end_of_head();
    } else {
      header_line();
    }
    came_.clear();
    return;
  }
  if (came_.size() < kMaxLine) came_ += byte;
  if (step_ == Step::http_status && came_.size() <= kBegin.size() && !kBegin.starts_with(came_)) {
    speaks_otherwise("HTTP");
  }
}

// "HTTP/1.1 200 Connection established"; what stands behind the number is theirs to choose.
void ProxyHandshake::status_line() {
  const auto digit = [this](std::size_t at) { return came_[at] >= '0' && came_[at] <= '9'; };
  const bool good = came_.size() >= 12 && digit(7) && came_[8] == ' ' && digit(9) && digit(10) &&
                    digit(11) && (came_.size() == 12 || came_[12] == ' ');
  if (!good) {
    speaks_otherwise("HTTP");
    return;
  }
  status_ =
      static_cast<unsigned>((came_[9] - '0') * 100 + (came_[10] - '0') * 10 + came_[11] - '0');
  asks_login_ = takes_basic_ = false;
  step_ = Step::http_headers;
}

// Of all of them only how the proxy wants to be told who we are: "Proxy-Authenticate: Basic".
void ProxyHandshake::header_line() {
  constexpr std::string_view kField = "proxy-authenticate:";
  const std::string line = lower_case(came_);
  if (!line.starts_with(kField)) return;
  asks_login_ = true;
  for (std::size_t at = line.find("basic"); at != std::string::npos;
       at = line.find("basic", at + 1)) {
    const char before = line[at - 1];
    const char behind = at + 5 < line.size() ? line[at + 5] : ' ';
    const auto ends_word = [](char c) { return c == ' ' || c == '\t' || c == ',' || c == ':'; };
    if (ends_word(before) && ends_word(behind)) takes_basic_ = true;
  }
}

void ProxyHandshake::end_of_head() {
  head_ = 0;
  if (status_ >= 200 && status_ < 300) {
    step_ = Step::done;  // whatever its header fields say of a body
  } else if (status_ >= 100 && status_ < 200 && status_ != 101 && interim_ < kMaxInterim) {
    ++interim_;
    step_ = Step::http_status;
  } else {
    fail_with(fmt::format("the proxy {} (status {})", why_status(), status_));
  }
}

std::string_view ProxyHandshake::why_status() const {
  switch (status_) {
    case 403:
      return "does not allow a connection to the server";
    case 405:
    case 501:
      return "does not know CONNECT: it may not be a proxy";
    case 401:  // which is a server's, and some proxies say it
    case 407:
      if (asks_login_ && !takes_basic_) return "wants an authentication method other than Basic";
      return proxy_.user_name.empty() ? "wants a user name and password"
                                      : "refused the user name and password";
    case 500:
      return "failed";
    case 502:
      return "cannot connect to the server";
    case 503:
      return "has no connection available now";
    case 504:
      return "got no answer from the server";
    default:
      return "refused the connection";
  }
}

// ---- SOCKS5 ----

void ProxyHandshake::begin_socks() {
  if (proxy_.user_name.size() > kMaxSocksField ||
      proxy_.password.reveal().size() > kMaxSocksField) {
    fail_with(
        "the proxy cannot be given user name and password: SOCKS5 allows at most 255 bytes each");
    return;
  }
  output_ = {kVersion};
  if (proxy_.user_name.empty()) {
    output_ += {char{1}, kNoLogin};
  } else {
    output_ += {char{2}, kNoLogin, kUserPassword};
  }
  step_ = Step::socks_method;
}

void ProxyHandshake::take_socks(char byte) {
  if (!output_.empty() && step_ != Step::socks_method) {
    fail_with("the proxy answered before it was asked");
    return;
  }
  came_ += byte;
  if (step_ == Step::socks_login) {
    if (came_[0] != kLoginVersion) {
      speaks_otherwise("SOCKS5");
    } else if (came_.size() == 2) {
      login_answered();
    }
    return;
  }
  if (came_[0] != kVersion) {
    speaks_otherwise("SOCKS5");
  } else if (step_ == Step::socks_method) {
    if (came_.size() == 2) method_chosen();
  } else {
    reply_came();
  }
}

void ProxyHandshake::method_chosen() {
  const char method = came_[1];
  came_.clear();
  const bool has_login = !proxy_.user_name.empty();
  if (method == kNoLogin) {
    ask_socks();
  } else if (method == kUserPassword && has_login) {
    const std::string& password = proxy_.password.reveal();
    output_ = {kLoginVersion, byte_of(proxy_.user_name.size())};
    output_ += proxy_.user_name;
    output_ += byte_of(password.size());
    output_ += password;
    step_ = Step::socks_login;
  } else if (method == kNoMethod) {
    fail_with(has_login ? "the proxy accepts neither a user name and password nor none"
                        : "the proxy wants a user name and password");
  } else {
    fail_with(fmt::format("the proxy chose authentication method {}, which it was not offered",
                          static_cast<unsigned char>(method)));
  }
}

void ProxyHandshake::login_answered() {
  if (came_[1] != 0) {
    fail_with("the proxy refused the user name and password");
    return;
  }
  came_.clear();
  ask_socks();
}

void ProxyHandshake::ask_socks() {
  output_ = {kVersion, kConnect, 0};
  if (const std::string v4 = address_bytes(AF_INET, target_.host); !v4.empty()) {
    output_ += kIpv4 + v4;
  } else if (const std::string v6 = address_bytes(AF_INET6, target_.host); !v6.empty()) {
    output_ += kIpv6 + v6;
  } else {
    output_ += {kName, byte_of(target_.host.size())};
    output_ += target_.host;
  }
  output_ += {byte_of(target_.port >> 8U), byte_of(target_.port & 0xffU)};
  step_ = Step::socks_reply;
}

// Version, reply, reserved, type of address, address, port. The address is the proxy's own, and
// nobody's business here.
void ProxyHandshake::reply_came() {
  if (came_.size() >= 2 && came_[1] != 0) {
    const auto reply = static_cast<unsigned char>(came_[1]);
    fail_with(fmt::format("the proxy cannot connect to the server: {} (SOCKS5 reply {})",
                          reply_text(reply), reply));
    return;
  }
  if (came_.size() < 5) return;
  std::size_t address = 0;
  if (came_[3] == kIpv4) {
    address = sizeof(in_addr);
  } else if (came_[3] == kIpv6) {
    address = sizeof(in6_addr);
  } else if (came_[3] == kName) {
    address = 1 + static_cast<unsigned char>(came_[4]);
  } else {
    fail_with(
        fmt::format("the proxy answered with an address of type {}, which SOCKS5 does not have",
                    static_cast<unsigned char>(came_[3])));
    return;
  }
  if (came_.size() == 4 + address + 2) step_ = Step::done;
}

}  // namespace triggerd::mqtt::wire
