// HTTP to one triggerd, on libcurl: over its Unix socket, or to a URL.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "client/endpoint.hpp"

namespace triggerctl {

struct Answer {
  long status = 0;
  std::string type;  // Content-Type
  std::string body;
};

// Any thread: each request has a connection of its own. That is one per verb, and one a second for
// `status --watch`.
class Http {
 public:
  explicit Http(Endpoint endpoint) : endpoint_(std::move(endpoint)) {}
  const Endpoint& endpoint() const { return endpoint_; }

  // An error with the code kUnreachable if no answer came in time. `body` is JSON; empty: none.
  triggerd::Result<Answer> send(const std::string& method, const std::string& path,
                                const std::string& body = {}) const;

  // Server-sent events: the data of each, until `on_event` returns false, `stop` is requested, or
  // the stream ends. An answer other than 200 is returned, with its body.
  triggerd::Result<Answer> stream(const std::string& path,
                                  const std::function<bool(std::string_view data)>& on_event,
                                  const std::stop_token& stop = {}) const;

 private:
  struct Transfer;
  const Endpoint endpoint_;
};

}  // namespace triggerctl
