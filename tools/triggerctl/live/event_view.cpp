#include "live/event_view.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "client/api.hpp"

namespace triggerctl {
namespace {

constexpr std::size_t kPayloadColumns = 120;

Colour colour_of(const std::string& verdict) {
  if (verdict == "ok") return Colour::green;
  if (verdict == "filtered" || verdict == "duplicate") return Colour::dim;
  return verdict == "retry" || verdict == "unavailable" || verdict == "expired" ||
                 verdict == "discarded"
             ? Colour::yellow
             : Colour::red;
}

std::string message_part(const Json& event) {
  std::string text = safe(text_of(event, "topic"));
  const auto bytes = count_of(event, "bytes");
  const std::string payload = payload_of(event);
  if (!payload.empty()) text += "  " + shortened(payload, kPayloadColumns);
  if (bytes > payload.size()) text += fmt::format("  ({})", about_bytes(bytes));
  return text;
}

}  // namespace

std::string event_line(const Json& event) {
  const std::string at = text_of(event, "at");
  const std::string time = at.size() >= 23 ? safe(at.substr(11, 12)) : safe(at);
  const std::string kind = text_of(event, "kind");
  if (kind == "missed") {
    return time + "  " +
           coloured(Colour::yellow,
                    counted(count_of(event, "count"), "event") +
                        " skipped: they came faster than this connection takes them");
  }
  if (kind == "message") {
    const std::string verdict = text_of(event, "verdict");
    std::string said = safe(verdict);
    const auto attempt = count_of(event, "attempt");
    const std::string times = attempt > 1 ? fmt::format(" (attempt {})", attempt) : "";
    said.resize(std::max<std::size_t>(said.size(), 7), ' ');
    const std::string reason = text_of(event, "text");
    return fmt::format("{}  {}  {} {:>7}  {}{}{}", time, safe(text_of(event, "trigger")),
                       coloured(colour_of(verdict), said),
                       event.contains("seconds") ? about_latency(number_of(event, "seconds")) : "-",
                       message_part(event), times, reason.empty() ? "" : "  " + safe(reason));
  }
  std::string who;
  for (const char* key : {"trigger", "alias", "plugin"}) {
    if (event.contains(key)) who += " " + safe(text_of(event, key));
  }
  const std::string text = safe(text_of(event, "text"));
  if (kind == "dead_letter") {
    return fmt::format("{}  {}  {}  {}{}", time, safe(text_of(event, "trigger")),
                       coloured(Colour::red, "dead letter"), message_part(event),
                       text.empty() ? "" : "  " + text);
  }
  return fmt::format("{}  {}{}: {}", time, safe(kind), who, text);
}

}  // namespace triggerctl
