// What to do about the session that a CONNACK spoke of: a pure function, any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace triggerd::mqtt {

struct SessionPlan {
  bool lost = false;                  // a session was expected, and the server has none
  std::vector<std::string> stale;     // filters the server may hold and nobody wants
  std::vector<std::string> remember;  // what the server may hold once SUBSCRIBE has left
};

// `remembered`: the filters of the session made earlier under this client id, if one was.
SessionPlan plan_session(const std::optional<std::vector<std::string>>& remembered,
                         bool session_present, std::vector<std::string> wanted);

}  // namespace triggerd::mqtt
