#include "base/units.hpp"

#include <array>
#include <charconv>
#include <limits>

namespace triggerd {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// Largest first: format_duration() walks down.
constexpr std::array<Unit, 5> kDurationUnits{
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};
constexpr std::array<Unit, 6> kSizeUnits{{{"TiB", 1ULL << 40},
                                          {"GiB", 1ULL << 30},
                                          {"MiB", 1ULL << 20},
                                          {"KiB", 1ULL << 10},
                                          {"B", 1},
                                          {"", 1}}};
constexpr std::uint64_t kMaxDuration = 10ULL * 366 * 86'400'000;

// Takes digits and the letters behind them off the front of `text`.
struct Part {
  std::uint64_t number = 0;
  std::string_view unit;
};
bool take_part(std::string_view& text, Part& part) {
  const char* end = text.data() + text.size();
  const auto [after, error] = std::from_chars(text.data(), end, part.number);
  if (error != std::errc()) return false;
  const char* unit_end = after;
  while (unit_end != end && (*unit_end < '0' || *unit_end > '9')) ++unit_end;
  part.unit = std::string_view(after, static_cast<std::size_t>(unit_end - after));
  text.remove_prefix(static_cast<std::size_t>(unit_end - text.data()));
  return true;
}

template <std::size_t N>
const Unit* find_unit(const std::array<Unit, N>& units, std::string_view name) {
  for (const Unit& unit : units) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

}  // namespace

Result<Millis> parse_duration(std::string_view text) {
  constexpr const char* kExpected =
      "\"{}\" is not a duration; write a number with ms, s, m, h or d";
  if (text.empty()) return fail(kExpected, text);
  std::string_view rest = text;
  std::uint64_t total = 0;
  while (!rest.empty()) {
    Part part;
    if (!take_part(rest, part)) return fail(kExpected, text);
    const Unit* unit = find_unit(kDurationUnits, part.unit);
    if (unit == nullptr) return fail(kExpected, text);
    if (part.number > kMaxDuration / unit->factor) return fail("\"{}\" is over 10 years", text);
    total += part.number * unit->factor;
    if (total > kMaxDuration) return fail("\"{}\" is over 10 years", text);
  }
  return Millis(static_cast<Millis::rep>(total));
}

std::string format_duration(Millis duration) {
  auto rest = static_cast<std::uint64_t>(duration.count() < 0 ? 0 : duration.count());
  if (rest == 0) return "0s";
  std::string text;
  for (const Unit& unit : kDurationUnits) {
    if (rest >= unit.factor) {
      text += fmt::format("{}{}", rest / unit.factor, unit.name);
      rest %= unit.factor;
    }
  }
  return text;
}

Result<std::uint64_t> parse_size(std::string_view text) {
  std::string_view rest = text;
  Part part;
  const Unit* unit = nullptr;
  if (take_part(rest, part) && rest.empty()) unit = find_unit(kSizeUnits, part.unit);
  if (unit == nullptr) {
    return fail("\"{}\" is not a size; write a number of bytes, or one with KiB, MiB, GiB or TiB",
                text);
  }
  if (part.number > std::numeric_limits<std::int64_t>::max() / unit->factor) {
    return fail("\"{}\" is too large", text);
  }
  return part.number * unit->factor;
}

std::string format_size(std::uint64_t bytes) {
  for (const Unit& unit : kSizeUnits) {
    if (unit.factor > 1 && bytes >= unit.factor && bytes % unit.factor == 0) {
      return fmt::format("{}{}", bytes / unit.factor, unit.name);
    }
  }
  return fmt::format("{}B", bytes);
}

}  // namespace triggerd
