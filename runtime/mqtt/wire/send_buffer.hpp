// Bytes of ours on their way into one socket: those that have found no room wait here. Its owner's
// lock is around it.
#pragma once

#include <cstddef>
#include <string>

#include "base/clock.hpp"
#include "mqtt/wire/keep_alive.hpp"

typedef struct ssl_st SSL;  // OpenSSL's, as it declares it

namespace triggerd::mqtt::wire {

class SendBuffer {
 public:
  enum class Sent {
    all,     // nothing is left
    full,    // the socket has no room for the rest
    broken,  // the connection is; nothing is left
  };

  // What is appended here leaves with the next send().
  std::string& bytes() { return bytes_; }
  bool empty() const { return bytes_.empty() && retry_.empty(); }
  std::size_t size() const { return bytes_.size() - sent_ + retry_.size(); }
  void clear();

  // Writes as much as there is room for, through `ssl` where that is not null, and tells
  // `keep_alive` when something left.
  Sent send(int fd, SSL* ssl, KeepAlive& keep_alive, const Clock& clock);

 private:
  enum class Step { some, full, broken };
  Step send_plain(int fd, KeepAlive& keep_alive, const Clock& clock);
  Step send_secured(SSL* ssl, KeepAlive& keep_alive, const Clock& clock);

  std::string bytes_;
  std::size_t sent_ = 0;  // of bytes_, those at its front that have left
  std::string retry_;     // a TLS write that has to be repeated with the same bytes
};

}  // namespace triggerd::mqtt::wire
