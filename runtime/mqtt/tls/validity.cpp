#include "mqtt/tls/validity.hpp"

#include <fmt/core.h>

#include <ctime>

namespace triggerd::mqtt::tls {

std::string date_text(Wall when) {
  const std::tm utc = utc_of(when);
  char text[40];
  const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &utc);
  return {text, length};
}

Age age_of(const Validity& validity, Wall now) {
  if (now < validity.from) return Age::not_yet;
  if (now > validity.to) return Age::expired;
  return now + kEndsSoon > validity.to ? Age::ends_soon : Age::good;
}

std::string age_text(const Validity& validity, Wall now) {
  switch (age_of(validity, now)) {
    case Age::not_yet:
      return fmt::format("is not valid before {}", date_text(validity.from));
    case Age::expired:
      return fmt::format("expired on {}", date_text(validity.to));
    case Age::good:
    case Age::ends_soon:
      break;
  }
  const auto left = std::chrono::duration_cast<std::chrono::hours>(validity.to - now).count();
  return fmt::format("is valid until {}, {} {} from now", date_text(validity.to),
                     left < 48 ? left : left / 24, left < 48 ? "hours" : "days");
}

}  // namespace triggerd::mqtt::tls
