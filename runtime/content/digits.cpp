#include "content/digits.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>

namespace triggerd::content {
namespace {

// A double has any number with so many significant digits, and gives them back.
constexpr std::size_t kAlwaysKept = 15;
// So many different numbers may have the same nearest double and stay different.
constexpr int kNeighbours = 32;
// Below this a double that is an integer is written as one.
constexpr double kLongestInteger = 1e17;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Significant or not: "0.0010" has five.
std::size_t count_digits(std::string_view literal) {
  const std::size_t mantissa = std::min(literal.find_first_of("eE"), literal.size());
  return static_cast<std::size_t>(std::count_if(
      literal.begin(), literal.begin() + static_cast<std::ptrdiff_t>(mantissa), is_digit));
}

}  // namespace

double Digits::keep(double nearest, std::string_view literal) {
  if (count_digits(literal) <= kAlwaysKept || !std::isfinite(nearest)) return nearest;
  double number = nearest;
  for (int i = 0; i < kNeighbours && std::isfinite(number); ++i) {
    const auto [place, is_new] =
        literals_.try_emplace(std::bit_cast<std::uint64_t>(number), literal);
    if (is_new || place->second == literal) return number;
    number = std::nextafter(number, std::numeric_limits<double>::infinity());
  }
  return nearest;
}

void Digits::write(double number, std::string& into) const {
  if (!literals_.empty()) {
    const auto literal = literals_.find(std::bit_cast<std::uint64_t>(number));
    if (literal != literals_.end()) {
      into += literal->second;
      return;
    }
  }
  if (std::isnan(number)) {
    into += "null";
    return;
  }
  constexpr double kLargest = std::numeric_limits<double>::max();
  number = std::clamp(number, -kLargest, kLargest);
  char text[32];
  const bool is_integer = std::abs(number) < kLongestInteger && number == std::trunc(number);
  const auto written =
      is_integer ? std::to_chars(text, text + sizeof text, static_cast<std::int64_t>(number))
                 : std::to_chars(text, text + sizeof text, number);
  into.append(text, written.ptr);
}

}  // namespace triggerd::content
