#include "package/version.hpp"

#include <algorithm>
#include <charconv>

#include "base/text.hpp"

namespace triggerd::package {
namespace {

// The longer ones first: "<=" begins with "<".
constexpr std::array<std::string_view, 5> kComparisons{">=", "<=", ">", "<", "="};

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

}  // namespace

Result<Version> parse_version(std::string_view text) {
  const auto no_version = [text] {
    return fail("\"{}\" is not a version; write one to three numbers, such as \"1.4.0\"",
                printable(text));
  };
  Version version;
  std::string_view rest = text;
  for (std::uint32_t& number : version.numbers) {
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    const auto length = static_cast<std::size_t>(end - rest.data());
    if (error != std::errc() || (length > 1 && rest[0] == '0')) return no_version();
    rest.remove_prefix(length);
    if (rest.empty()) return version;
    if (rest[0] != '.') return no_version();
    rest.remove_prefix(1);
  }
  return no_version();
}

bool VersionRange::accepts(const Version& version) const {
  return std::all_of(bounds_.begin(), bounds_.end(), [&version](const Bound& bound) {
    if (bound.comparison == ">=") return !(version < bound.version);
    if (bound.comparison == "<=") return !(bound.version < version);
    if (bound.comparison == ">") return bound.version < version;
    if (bound.comparison == "<") return version < bound.version;
    return version == bound.version;
  });
}

Result<VersionRange> parse_version_range(std::string_view text) {
  VersionRange range;
  std::string_view rest = text;
  while (true) {
    const std::size_t comma = rest.find(',');
    const std::string_view part = trimmed(rest.substr(0, comma));
    const auto* comparison =
        std::find_if(kComparisons.begin(), kComparisons.end(),
                     [part](std::string_view candidate) { return part.starts_with(candidate); });
    if (comparison == kComparisons.end()) {
      return fail(
          "\"{}\" is not a version range; write >=, >, <=, < or = and a version, with commas "
          "between several, such as \">=1.2, <2\"",
          printable(text));
    }
    auto version = parse_version(trimmed(part.substr(comparison->size())));
    if (!version) return tl::make_unexpected(version.error());
    range.bounds_.push_back({*comparison, *version});
    if (comma == std::string_view::npos) return range;
    rest.remove_prefix(comma + 1);
  }
}

}  // namespace triggerd::package
