// Random gaps between sparse messages, as the command line has them: "MIN_MS:MAX_MS".
#pragma once

#include <charconv>
#include <optional>
#include <string_view>

namespace bench {

struct Gaps {
  double min_ms = 0;
  double max_ms = 0;
};

inline std::optional<Gaps> read_gaps(std::string_view text) {
  Gaps gaps;
  const char* const end = text.data() + text.size();
  const auto [colon, first] = std::from_chars(text.data(), end, gaps.min_ms);
  if (first != std::errc() || colon == end || *colon != ':') return std::nullopt;
  const auto [rest, second] = std::from_chars(colon + 1, end, gaps.max_ms);
  const bool good = second == std::errc() && rest == end && gaps.min_ms >= 0 && gaps.max_ms > 0 &&
                    gaps.max_ms >= gaps.min_ms;
  return good ? std::optional(gaps) : std::nullopt;
}

}  // namespace bench
