// Numbers keep their digits. jq computes with doubles, and an id of 64 bits has more digits than
// one can hold. So a number with many digits is remembered together with the double that stands
// for it, and where a result has that double, it is written as it was read.
//
// Two different numbers never have the same double here, even if it is the nearest one to both:
// the second takes one beside it, so that they stay different, and each keeps its own digits; as
// far as there are a few of them: a sender could make any number.
//
// For the numbers of one message. One thread at a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace triggerd::content {

class Digits {
 public:
  // The double that stands for `literal`, a number as JSON writes it, whose nearest double is
  // `nearest`.
  double keep(double nearest, std::string_view literal);
  // `number` as JSON: as it was read, or in the fewest digits that mean this double. Not a number
  // is null, and infinity the largest double, as jq has them.
  void write(double number, std::string& into) const;
  void clear() { literals_.clear(); }

 private:
  std::unordered_map<std::uint64_t, std::string> literals_;  // by the bits of the double
};

}  // namespace triggerd::content
