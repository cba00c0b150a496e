// From when to when a certificate is valid, and how to say it.
#pragma once

#include <chrono>
#include <string>

#include "base/clock.hpp"

namespace triggerd::mqtt::tls {

struct Validity {
  Wall from;
  Wall to;
};

// "2026-11-24 02:33:35 UTC".
std::string date_text(Wall when);

enum class Age { good, ends_soon, expired, not_yet };
// A certificate is worth a warning this long before it expires.
constexpr std::chrono::hours kEndsSoon{30 * 24};
Age age_of(const Validity& validity, Wall now);
// "is valid until 2026-11-24 02:33:35 UTC, 12 days from now"; "expired on ..."; "is not valid
// before ...".
std::string age_text(const Validity& validity, Wall now);

}  // namespace triggerd::mqtt::tls
