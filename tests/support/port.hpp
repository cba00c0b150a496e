// TCP ports on 127.0.0.1 that the kernel chose.
#pragma once

#include <cstdint>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "support/eventually.hpp"

namespace triggerd::test {

// A port that the kernel gives to nobody else while this object lives. Nobody listens on it until a
// server is started there, so it also stands for a server that is down.
//
// It is held by a bound socket that does not listen. Linux lets a server that sets SO_REUSEADDR
// (all of ours do) listen beside it, and picks the port neither for another bind to port 0 nor for
// an outgoing connection. So a server can restart on its port while other tests run, and a client
// that keeps trying to reach a stopped server cannot end up connected to itself.
class ReservedPort {
 public:
  ReservedPort();
  std::uint16_t number() const { return number_; }

 private:
  UniqueFd holder_;
  std::uint16_t number_ = 0;
};

// Listens on 127.0.0.1. Throws std::system_error.
UniqueFd listen_on_loopback(std::uint16_t port);
// A blocking connection to 127.0.0.1 whose reads and writes give up after `timeout`. Empty where
// nobody listens.
UniqueFd connect_loopback(std::uint16_t port, Millis timeout = kPatience);

}  // namespace triggerd::test
