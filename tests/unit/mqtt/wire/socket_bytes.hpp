// What has arrived at a socket that does not block. For tests and for the fuzzer.
#pragma once

#include <sys/socket.h>

#include <string>

namespace triggerd::mqtt::wire::test {

// All that is there by now.
inline std::string bytes_at(int fd) {
  std::string all;
  char some[16384];
  ssize_t got = 0;
  while ((got = ::recv(fd, some, sizeof some, 0)) > 0) {
    all.append(some, static_cast<std::size_t>(got));
  }
  return all;
}

}  // namespace triggerd::mqtt::wire::test
