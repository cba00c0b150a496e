// One libcurl request, from its exchange to its outcome. Belongs to the client's thread.
#pragma once

#include <curl/curl.h>

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "client.hpp"
#include "outcome.hpp"
#include "settings.hpp"
#include "sockets.hpp"

namespace http_forward {

// Can be used again and again: begin, [follows], end or fail, take_exchange, clear.
class Transfer {
 public:
  // libcurl 7.88 cannot use a connection again that was opened with prior knowledge of HTTP/2, for
  // a request with prior knowledge (its issue 10634, fixed in 8.0). It can for one that is merely
  // willing to speak HTTP/2, which for its part would not open such a connection. So one request
  // opens a connection, and the others share what is open; if nothing is, they end with
  // found_no_connection().
  enum class Role { either, opens, shares };
  // Whether requests have to take these roles with this libcurl.
  static bool roles_differ(const Settings& settings);

  // Throws std::runtime_error if libcurl has no memory.
  Transfer(const Settings& settings, Sockets& sockets);
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // Takes the exchange and sets up its request. False: it failed already, and outcome() says why.
  bool begin(std::unique_ptr<Exchange> exchange, Role role);
  // Whether the answer is a redirect that the settings follow; the request is then set up for it.
  bool follows(CURLcode code);
  void end(CURLcode code);
  void fail(std::string_view problem);
  std::unique_ptr<Exchange> take_exchange() { return std::move(exchange_); }
  void clear();

  CURL* easy() const { return easy_.get(); }
  Role role() const { return role_; }
  bool found_no_connection() const { return found_no_connection_; }
  const Outcome& outcome() const { return outcome_; }
  long connections_opened() const;

 private:
  static std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* self);
  static std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* self);
  static curl_socket_t open_nothing(void* self, curlsocktype purpose, curl_sockaddr* address);
  void take_header(std::string_view line);
  bool take_body(std::string_view piece);

  const std::string& url() const;
  void set_up_request();
  void set_up_connection();
  void set_up_version();
  bool set_time_limit();
  void add_header(const char* line);
  void forget_answer();
  int status() const;
  bool was_sent() const;

  struct FreeList {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };

  const Settings& settings_;
  Sockets& sockets_;
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> easy_;

  std::unique_ptr<Exchange> exchange_;
  Role role_ = Role::either;
  bool found_no_connection_ = false;
  std::unique_ptr<curl_slist, FreeList> headers_;
  std::array<char, CURL_ERROR_SIZE> error_{};
  int redirects_ = 0;

  // The answer so far.
  Outcome outcome_;
  std::size_t header_bytes_ = 0;
  bool headers_ended_ = false;
  bool too_many_headers_ = false;
};

}  // namespace http_forward
