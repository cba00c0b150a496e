// How a call of whoever manages a runtime fails, and who makes it. Plain values.
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
  // Of the definition that was given: its dotted key, elements of arrays counted from 0: "host",
  // "topics.0.filter", "last_will.qos"; empty where no key is to blame.
  std::string key;
  std::string message;
};

struct AdminError {
  enum class Kind {
    invalid,      // what was asked for is wrong; `problems` has the details, where there are some
    not_found,    // there is no such alias, trigger, plugin, package or dead letter
    conflict,     // it is there already, or is in use, or stands in a file that is not ours to edit
    refused,      // not allowed here: [admin] manage = false
    unavailable,  // not now: the runtime stops, the server is not connected
    failed        // it was tried, and did not work
  };
  Kind kind = Kind::failed;
  std::string message;  // what, where, why, what to do
  std::vector<AdminProblem> problems = {};
};
std::string_view to_string(AdminError::Kind kind);

template <class T = void>
using Outcome = tl::expected<T, AdminError>;

// Who asks for a change, for the record: "triggerctl (uid 1000)", "console".
using Actor = std::string;

}  // namespace triggerd::management
