// What happened to a request, and what that means for its message.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <trigger/plugin.hpp>

#include "settings.hpp"

namespace http_forward {

struct Outcome {
  int status = 0;       // 0: there is no complete answer
  bool unsent = false;  // and the server has seen nothing of the request: it cannot be reached
  std::string problem;  // why there is none, or what else is wrong with the answer
  std::string body;     // at most max_response_bytes
  bool body_is_cut = false;
  std::string content_type;
  std::optional<std::string> retry_after;  // the header as received
};

// How long the server asks to be left alone: seconds, or an HTTP date (RFC 9110, section 10.2.3).
// Empty if it does not ask for that, or not understandably. Never negative.
std::optional<std::chrono::seconds> retry_after(std::string_view value,
                                                std::chrono::system_clock::time_point now);

// Does not consider what a reply needs.
trigger::Verdict verdict_of(const Outcome& outcome, const Settings& settings,
                            std::chrono::system_clock::time_point now);

// The url for people: without its query, which may hold a secret.
std::string shown(const std::string& url);

}  // namespace http_forward
