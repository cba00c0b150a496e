// How calls that manage a runtime fail, and who makes them. Plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace triggerd::management {

// One thing that is wrong with a definition or with the configuration.
struct AdminProblem {
  std::string file;  // empty: the definition that was given
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  // The dotted key in the definition that was given, with array elements counted from 0: "host",
  // "topics.0.filter", "last_will.qos"; empty if no single key is to blame.
  std::string key;
  std::string message;
};

struct AdminError {
  enum class Kind {
    invalid,      // the request is wrong; `problems` has the details, if there are any
    not_found,    // there is no such alias, trigger, plugin, package or dead letter
    conflict,     // it exists already, is in use, or is in a file that is not ours to edit
    refused,      // not allowed here: [admin] manage = false
    unavailable,  // not now: the runtime is stopping, or the server is not connected
    failed        // it was tried, but did not work
  };
  Kind kind = Kind::failed;
  std::string message;  // what failed, where and why, and what to do about it
  std::vector<AdminProblem> problems = {};
};

template <class T = void>
using Outcome = tl::expected<T, AdminError>;

// Who asks for a change, for the log and the stored state: "triggerctl (uid 1000)", "console".
using Actor = std::string;

}  // namespace triggerd::management
