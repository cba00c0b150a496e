// The conversation with a proxy, before the connection belongs to the server behind it: HTTP
// CONNECT (RFC 9110, section 9.3.6) with Basic authentication (RFC 7617), or SOCKS5 (RFC 1928 and
// 1929). Pure: no socket, no clock, no lock.
//
// Messages do not show what a proxy says, except for the first bytes of something that speaks
// another protocol: printable, and not if they could repeat the login that it was sent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "config/proxy.hpp"

namespace triggerd::mqtt::wire {

class ProxyHandshake {
 public:
  // The MQTT server. The proxy looks its name up. IPv6 without brackets.
  struct Target {
    std::string host;
    std::uint16_t port;
  };
  ProxyHandshake(const config::Proxy& proxy, Target target);

  // What is to be sent now. There is some after construction, unless there is a fault already.
  std::string take_output();
  // Returns how many of `bytes` belong to the handshake; what follows them is the server's. They
  // may come in any pieces. 0 once the handshake is over.
  std::size_t receive(std::string_view bytes);
  // The proxy has ended the connection, which is a fault unless the handshake is over.
  void ended();
  // The connection belongs to the server now.
  bool done() const { return step_ == Step::done; }
  // Why it cannot go on, beginning with "the proxy"; empty while it can.
  const std::string& fault() const { return fault_; }

 private:
  enum class Step {
    http_status,   // the first line of an answer
    http_headers,  // the others, to the empty one
    socks_method,  // the answers of SOCKS5
    socks_login,
    socks_reply,
    done,
    failed
  };

  void begin_http();
  void begin_socks();
  void ask_socks();
  void take_http(char byte);
  void take_socks(char byte);
  void status_line();
  void header_line();
  void end_of_head();
  void method_chosen();
  void login_answered();
  void reply_came();
  std::string_view why_status() const;
  void fail_with(std::string why);
  void speaks_otherwise(std::string_view protocol);
  bool could_tell_login(std::string_view shown) const;

  const config::Proxy proxy_;
  const Target target_;
  Step step_ = Step::failed;
  std::string output_;
  std::string fault_;
  std::string in_base64_;  // the login, as HTTP has it

  std::string came_;          // HTTP: of the current line; SOCKS5: of the current answer
  std::string_view behind_;   // what came with it, while receive() runs
  std::size_t head_ = 0;      // bytes of the current head
  unsigned interim_ = 0;      // answers with 1xx so far
  unsigned status_ = 0;       // of the current answer
  bool asks_login_ = false;   // it says how one is to be given
  bool takes_basic_ = false;  // and Basic is one way
};

}  // namespace triggerd::mqtt::wire
