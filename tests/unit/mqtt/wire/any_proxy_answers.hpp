// Any bytes in the place of a proxy's answers, for the fuzz target and for its corpus in an
// ordinary test run.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/text.hpp"
#include "mqtt/wire/proxy.hpp"

namespace triggerd::mqtt {

inline void expect_of_proxy(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

struct ProxyOutcome {
  std::size_t taken = 0;
  bool done = false;
};

// `bytes` in pieces of that size; what is to be sent is taken after each.
inline ProxyOutcome answer_with(const config::Proxy& proxy, std::string_view bytes,
                                std::size_t piece) {
  wire::ProxyHandshake handshake(proxy, {"broker", 1883});
  expect_of_proxy(!handshake.take_output().empty(), "nothing was asked");
  ProxyOutcome outcome;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    const std::string_view part = bytes.substr(at, piece);
    const bool over = handshake.done() || !handshake.fault().empty();
    const std::size_t taken = handshake.receive(part);
    expect_of_proxy(taken <= part.size(), "it took more than there was");
    expect_of_proxy(!over || taken == 0, "it went on behind its end");
    outcome.taken += taken;
    (void)handshake.take_output();
  }
  const std::string& fault = handshake.fault();
  expect_of_proxy(fault.empty() || !handshake.done(), "it is done and at fault");
  expect_of_proxy(fault.empty() || fault.starts_with("the proxy "), "a fault of nobody");
  expect_of_proxy(fault == printable(fault, fault.size() + 8), "a fault that is not printable");
  for (const char* secret : {"hunter2", "ZWRnZTpodW50ZXIy"}) {
    // Without one, the fuzzer has guessed it.
    expect_of_proxy(proxy.user_name.empty() || fault.find(secret) == std::string::npos,
                    "a fault that tells the password");
  }
  outcome.done = handshake.done();
  return outcome;
}

// The first byte says which kind of proxy, whether with a login, and how large the pieces are.
inline void answer_as_any_proxy(std::string_view bytes) {
  if (bytes.empty()) return;
  const auto how = static_cast<unsigned char>(bytes[0]);
  bytes.remove_prefix(1);
  config::Proxy proxy;
  proxy.host = "proxy";
  proxy.scheme = (how & 1U) == 0 ? config::Proxy::Scheme::http : config::Proxy::Scheme::socks5;
  if ((how & 2U) != 0) {
    proxy.user_name = "edge";
    proxy.password = config::Secret("hunter2");
  }
  const ProxyOutcome each = answer_with(proxy, bytes, 1);
  const ProxyOutcome pieces = answer_with(proxy, bytes, 1 + (how >> 2U));
  // With SOCKS5, an answer that comes with the one before was given too early.
  if (proxy.scheme == config::Proxy::Scheme::socks5) return;
  expect_of_proxy(each.done == pieces.done && each.taken == pieces.taken,
                  "it depends on how the bytes are cut");
}

}  // namespace triggerd::mqtt
