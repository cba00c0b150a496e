// JSON to and from jq's values. One thread at a time.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "content/digits.hpp"
#include "content/value.hpp"

namespace triggerd::content {

// Levels of arrays and objects, in what is read and in what is written.
inline constexpr std::size_t kDeepest = 256;

// `text` is one JSON value. An empty one is null, as retained messages that are deleted have it.
Result<Value> read_json(std::string_view text, Digits& digits);

// Appends `value` to `into`, without blanks. False: `into` would be longer than `limit`, or the
// value is nested too deeply to be written.
bool write_json(const Value& value, const Digits& digits, std::size_t limit, std::string& into);

}  // namespace triggerd::content
