// What a trigger asks of the content of its messages.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.hpp"

namespace triggerd::content {

// What `.` is in a program.
enum class Input { json, text };
// What becomes of a message that cannot be evaluated.
enum class OnError { reject, pass };

struct Options {
  std::string when;       // a program in jq; empty: every message
  std::string transform;  // a program in jq; empty: the payload stays as it is
  bool split = false;     // each result of `transform` is a message
  std::string schema;     // JSON Schema, as JSON; empty: none
  Input input = Input::json;
  OnError on_error = OnError::reject;
  Millis timeout{100};                              // processor time of one run of a program
  std::uint64_t max_size = std::uint64_t{1} << 20;  // bytes: of a payload, and of all results

  // Whether there is nothing to evaluate.
  bool empty() const { return when.empty() && transform.empty() && schema.empty(); }
};

}  // namespace triggerd::content
