#include "mqtt/wire/opening.hpp"

#include <utility>

namespace triggerd::mqtt::wire {

void Opening::carry(const Dial& dial) {
  tls_ = dial.tls;
  if (dial.websocket) websocket_ = std::make_unique<WebSocket>(*dial.websocket);
  if (dial.proxy) proxy_ = std::make_unique<ProxyHandshake>(*dial.proxy, dial.target);
}

bool Opening::begin(std::string& out) {
  if (step_ != Step::not_begun) return false;
  step_ = Step::proxy;
  if (proxy_ && !tls_) {
    out += proxy_->take_output();
  } else {
    go_on(out);
  }
  return true;
}

// The step that is under way is done.
void Opening::go_on(std::string& out) {
  if (step_ == Step::proxy && websocket_) {
    step_ = Step::websocket;
    out += websocket_->request();
    return;
  }
  step_ = Step::open;
  if (!unsent_.empty()) add_packet(std::exchange(unsent_, {}), out);
}

std::size_t Opening::proxy_said(std::string_view bytes, std::string& out) {
  const std::size_t used = proxy_->receive(bytes);
  out += proxy_->take_output();
  if (proxy_->done()) go_on(out);
  return used;
}

std::string Opening::ended() {
  if (at_proxy()) {
    proxy_->ended();
    return proxy_->fault();
  }
  if (!at_websocket()) return {};
  websocket_->end();
  return websocket_->fault();
}

void Opening::add_packet(std::string_view packet, std::string& out) {
  if (websocket_) {
    websocket_->wrap(packet, out);
  } else {
    out += packet;
  }
}

}  // namespace triggerd::mqtt::wire
