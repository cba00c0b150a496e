// getaddrinfo() with an owner for what it returns.
#pragma once

#include <netdb.h>
#include <sys/socket.h>

#include <memory>
#include <string>

namespace triggerd::mqtt {

struct FreeAddrinfo {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using AddrinfoList = std::unique_ptr<addrinfo, FreeAddrinfo>;

// 0, or an EAI_ code. `flags` 0 looks the name up, which may take long; AI_NUMERICHOST only reads
// an address.
inline int look_up(const std::string& host, const std::string& port, int flags,
                   AddrinfoList& list) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* found = nullptr;
  const int code =
      ::getaddrinfo(host.c_str(), port.empty() ? nullptr : port.c_str(), &hints, &found);
  list.reset(found);
  return code;
}

}  // namespace triggerd::mqtt
