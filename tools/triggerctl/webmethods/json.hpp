// JSON whose values know their line, so that an error can name it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "webmethods/webmethods.hpp"

namespace triggerd::webmethods {

struct Member;

struct Value {
  enum class Kind { null, boolean, integer, fraction, text, array, object };
  Kind kind = Kind::null;
  unsigned line = 0;
  bool boolean = false;
  long long integer = 0;
  std::string text = {};  // of a number, too: as it is written
  std::vector<Value> items = {};
  std::vector<Member> members;
};

struct Member {
  std::string name;
  Value value;
};

std::string_view to_string(Value::Kind kind);  // "a number"

// At most 16 MiB, 32 levels deep. A name that appears twice in one object is an error.
tl::expected<Value, Remark> parse_json(std::string_view text);

}  // namespace triggerd::webmethods
