// Versions of packages, and which of them another package accepts.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace triggerd::package {

// One to three numbers: "2", "1.4", "1.4.0". What is left out is 0, so 1.4 and 1.4.0 are equal.
struct Version {
  std::array<std::uint32_t, 3> numbers{};
  friend bool operator==(const Version& a, const Version& b) { return !(a < b) && !(b < a); }
  friend bool operator<(const Version& a, const Version& b) {
    return std::lexicographical_compare(a.numbers.begin(), a.numbers.end(), b.numbers.begin(),
                                        b.numbers.end());
  }
};
Result<Version> parse_version(std::string_view text);

// ">=1.2, <2": a version is accepted if it meets every part. No parts: accepts every version.
class VersionRange {
 public:
  bool accepts(const Version& version) const;

 private:
  friend Result<VersionRange> parse_version_range(std::string_view text);
  struct Bound {
    std::string_view comparison;  // one of the literals in version.cpp
    Version version;
  };
  std::vector<Bound> bounds_;
};
Result<VersionRange> parse_version_range(std::string_view text);

}  // namespace triggerd::package
