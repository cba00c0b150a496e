// What one connection says before MQTT: first to the proxy, then the WebSocket upgrade, as far as
// it has them. The library knows of neither: what it writes meanwhile waits here.
//
// It has no socket: what is to be sent is appended to `out`. Its owner's lock is around it, except
// for the receiving side of websocket(), which is the receive thread's.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "mqtt/wire/dial.hpp"
#include "mqtt/wire/proxy.hpp"
#include "mqtt/wire/websocket.hpp"

namespace triggerd::mqtt::wire {

class Opening {
 public:
  // Before anything else.
  void carry(const Dial& dial);
  // Null: MQTT is not in frames. Constant once carry() was called.
  WebSocket* websocket() const { return websocket_.get(); }

  // MQTT may be spoken.
  bool open() const { return step_ == Step::open; }
  bool at_proxy() const { return step_ == Step::proxy && proxy_; }
  bool at_websocket() const { return step_ == Step::websocket; }
  // Why the proxy does not let us through; empty where it does.
  std::string proxy_fault() const { return proxy_ ? proxy_->fault() : std::string(); }

  // Begins, unless it has begun: the library has written, so it knows that it is connected. With
  // TLS the proxy has been passed by then. False: it had begun.
  bool begin(std::string& out);
  // Bytes have come from the proxy: how many of them were its answer.
  std::size_t proxy_said(std::string_view bytes, std::string& out);
  // The server has accepted the upgrade.
  void upgraded(std::string& out) { go_on(out); }
  // The connection has ended. Why that was too early, where it was.
  std::string ended();

  // The handshake with the proxy that comes before one with TLS. Null: there is no proxy.
  ProxyHandshake* proxy() const { return proxy_.get(); }

  // What the library writes before MQTT may be spoken.
  void hold(std::string_view bytes) { unsent_ += bytes; }
  void forget_held() { unsent_.clear(); }
  // A packet, once MQTT may be spoken, in a frame where it goes in frames.
  void add_packet(std::string_view packet, std::string& out);

 private:
  enum class Step : std::uint8_t { not_begun, proxy, websocket, open };

  void go_on(std::string& out);

  bool tls_ = false;
  Step step_ = Step::not_begun;
  std::unique_ptr<ProxyHandshake> proxy_;
  std::unique_ptr<WebSocket> websocket_;
  std::string unsent_;
};

}  // namespace triggerd::mqtt::wire
