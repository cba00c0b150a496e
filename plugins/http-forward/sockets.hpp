// The TCP sockets of libcurl's connections, opened and closed here so that they are known.
#pragma once

#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

namespace http_forward {

// Outlives the connections. [client's thread; closing: whoever ends the client]
class Sockets {
 public:
  // A server that writes its answer in small pieces, and has not set TCP_NODELAY, sends the second
  // piece once the first is acknowledged (Nagle), which Linux puts off for 40 ms on a connection
  // that is used in turns. So this is called when an answer begins: the option holds for the next
  // few segments only. libcurl does not say which connection the answer is on; on the others it
  // costs nothing but the call.
  void acknowledge_at_once() const {
    const int on = 1;
    for (const curl_socket_t socket : open_) {
      (void)::setsockopt(socket, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
    }
  }

  // For CURLOPT_OPENSOCKETFUNCTION and CURLOPT_CLOSESOCKETFUNCTION.
  static curl_socket_t open(void* self, curlsocktype /*purpose*/, curl_sockaddr* address) {
    const int socket =
        ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    const bool tcp = address->family == AF_INET || address->family == AF_INET6;
    if (socket >= 0 && tcp) static_cast<Sockets*>(self)->remember(socket);
    return socket;
  }
  static int close(void* self, curl_socket_t socket) {
    std::vector<curl_socket_t>& open = static_cast<Sockets*>(self)->open_;
    open.erase(std::remove(open.begin(), open.end(), socket), open.end());
    return ::close(socket);
  }

 private:
  void remember(curl_socket_t socket) noexcept {
    try {
      open_.push_back(socket);
    } catch (...) {
      // Without memory its answers may be slower.
    }
  }

  std::vector<curl_socket_t> open_;
};

}  // namespace http_forward
