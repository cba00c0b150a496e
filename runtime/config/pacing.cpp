#include "config/pacing.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "config/sections.hpp"
#include "config/table_reader.hpp"

namespace triggerd::config {
namespace {

constexpr std::uint32_t kHighestRate = 10'000'000;
constexpr Millis kLongestDelay = std::chrono::hours(24);

struct Unit {
  std::string_view name;
  Millis per;
};
constexpr std::array<Unit, 3> kUnits = {{{"s", std::chrono::seconds(1)},
                                         {"min", std::chrono::minutes(1)},
                                         {"h", std::chrono::hours(1)}}};

}  // namespace

Result<Rate> parse_rate(std::string_view text) {
  Rate rate;
  const char* const end = text.data() + text.size();
  const auto [behind, error] = std::from_chars(text.data(), end, rate.count);
  const bool has_number = behind != text.data();
  if (has_number && (error == std::errc::result_out_of_range || rate.count > kHighestRate)) {
    return fail("the number must be from 1 to {}", kHighestRate);
  }
  const std::string_view rest(behind, static_cast<std::size_t>(end - behind));
  for (const Unit& unit : kUnits) {
    if (!has_number || !rest.starts_with('/') || rest.substr(1) != unit.name) continue;
    if (rate.count == 0) return fail("nothing would ever be handled; leave it out for no limit");
    rate.per = unit.per;
    return rate;
  }
  return fail("write a whole number and \"/s\", \"/min\" or \"/h\", as in \"100/s\"");
}

std::string format_rate(const Rate& rate) {
  if (!rate.limited()) return {};
  const auto* const unit = std::find_if(kUnits.begin(), kUnits.end(),
                                        [&rate](const Unit& each) { return each.per == rate.per; });
  return fmt::format("{}/{}", rate.count, unit->name);
}

void read_pacing(TableReader& reader, Trigger& trigger) {
  if (const auto said = reader.text("max_rate")) {
    const auto rate = parse_rate(said->value);
    if (rate) {
      trigger.pacing.max_rate = *rate;
    } else {
      reader.file().error(said->spot, "max_rate = \"{}\": {}", said->shown, rate.error().message);
    }
  }
  reader.duration("delay", trigger.pacing.delay, Millis(1), kLongestDelay);
}

}  // namespace triggerd::config
