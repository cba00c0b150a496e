// What to tell a user who gets no answer.
#pragma once

#include <string>

#include "client/endpoint.hpp"

namespace triggerctl {

struct Silence {
  int system_error = 0;  // an errno; 0: it was none
  bool timed_out = false;
  std::string said;  // by the library
};

// What is wrong, where, and what to do: looks at the socket's file for it.
std::string why_unreachable(const Endpoint& endpoint, const Silence& silence);

// Whether nothing listens there at all, so that triggerd is not running. Known only for a socket.
bool nobody_runs(const Endpoint& endpoint);

}  // namespace triggerctl
