// What a CONNACK means for the session: whether one was lost, and which filters to drop. A pure
// function, any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace triggerd::mqtt {

struct SessionPlan {
  bool lost = false;                  // a session was expected, and the server has none
  std::vector<std::string> stale;     // filters that the server may have and nobody wants
  std::vector<std::string> remember;  // those that the server may have once SUBSCRIBE has left
};

// `remembered`: the filters of the session that was made earlier with this client id, if any.
SessionPlan plan_session(const std::optional<std::vector<std::string>>& remembered,
                         bool session_present, std::vector<std::string> wanted);

}  // namespace triggerd::mqtt
