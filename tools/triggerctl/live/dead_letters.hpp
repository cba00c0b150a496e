// Dead letters, many at once.
#pragma once

#include <functional>
#include <string>

#include "client/api.hpp"

namespace triggerctl {

struct DeadLetterFilter {
  std::string trigger;
  std::string since;
  std::string until;
  bool all = false;

  bool empty() const { return trigger.empty() && since.empty() && until.empty(); }
};

// Replays or drops (`verb`) all of them: with several requests, as triggerd handles some at a time.
Result<Json> for_all(const Api& api, const std::string& verb, const DeadLetterFilter& filter);

// Hands each with its whole payload to `take`, newest first, together with their number. Returns
// how many there were.
Result<std::uint64_t> each_of(
    const Api& api, const DeadLetterFilter& filter,
    const std::function<Result<>(const Json& letter, std::uint64_t total)>& take);

// 16 bytes per line, in hex and as text.
std::string hex_dump(std::string_view bytes);

}  // namespace triggerctl
