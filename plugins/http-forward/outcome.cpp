#include "outcome.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <limits>
#include <utility>

namespace http_forward {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view space = " \t\r\n";
  const std::size_t first = text.find_first_not_of(space);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(space) - first + 1);
}

Meaning meaning_of(int status, const Settings& settings) {
  const auto said = settings.status.find(status);
  if (said != settings.status.end()) return said->second;
  if (status >= 200 && status < 300) return Meaning::ok;
  // Too Many Requests, Service Unavailable: no other request would fare better now.
  if (status == 429 || status == 503) return Meaning::unavailable;
  // Request Timeout, Too Early: the same request may succeed later. So may 502 and 504: the server
  // behind a gateway may be down, and may also fail because of this very message.
  if (status == 408 || status == 425 || status >= 500) return Meaning::retry;
  return Meaning::reject;
}

std::string reason_of(const Outcome& outcome, const Settings& settings) {
  constexpr std::size_t shown_body = 150;
  std::string reason = shown(settings.url) + " answered " + std::to_string(outcome.status);
  if (!outcome.problem.empty()) return reason + ": " + outcome.problem;
  const std::string_view body = trimmed(outcome.body);
  if (!body.empty()) reason += ": " + trigger::printable(body, shown_body);
  return reason;
}

}  // namespace

std::string shown(const std::string& url) {
  return trigger::printable(std::string_view(url).substr(0, url.find('?')), 80);
}

std::optional<std::chrono::seconds> retry_after(std::string_view value,
                                                std::chrono::system_clock::time_point now) {
  using std::chrono::seconds;
  value = trimmed(value);
  if (value.empty()) return std::nullopt;
  if (value.find_first_not_of("0123456789") == std::string_view::npos) {
    std::int64_t count = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), count);
    constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
    return seconds(error == std::errc() ? std::min(count, most) : most);
  }
  // curl_getdate() reads far more than dates: "-5" is a time zone to it.
  if (value.find(':') == std::string_view::npos) return std::nullopt;
  const std::time_t when = curl_getdate(std::string(value).c_str(), nullptr);
  if (when == -1) return std::nullopt;
  const auto left = seconds(when) - std::chrono::floor<seconds>(now.time_since_epoch());
  return std::max(left, seconds(0));
}

trigger::Verdict verdict_of(const Outcome& outcome, const Settings& settings,
                            std::chrono::system_clock::time_point now) {
  if (outcome.status == 0) {
    std::string reason = "no answer from " + shown(settings.url) + ": " + outcome.problem;
    return outcome.unsent ? trigger::Verdict::unavailable(std::move(reason))
                          : trigger::Verdict::retry(std::move(reason));
  }
  const Meaning meaning = meaning_of(outcome.status, settings);
  switch (meaning) {
    case Meaning::ok:
      return trigger::Verdict::ok();
    case Meaning::reject:
      return trigger::Verdict::reject(reason_of(outcome, settings));
    case Meaning::retry:
    case Meaning::unavailable:
      break;
  }
  const auto asked = outcome.retry_after ? retry_after(*outcome.retry_after, now) : std::nullopt;
  const std::chrono::milliseconds after =
      asked ? std::min(*asked, settings.max_retry_after) : std::chrono::seconds(0);
  return meaning == Meaning::retry
             ? trigger::Verdict::retry(after, reason_of(outcome, settings))
             : trigger::Verdict::unavailable(after, reason_of(outcome, settings));
}

}  // namespace http_forward
