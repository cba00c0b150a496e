#include "offline/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "base/units.hpp"
#include "command_line.hpp"

namespace triggerctl {
namespace {

constexpr std::size_t kShown = 2'000;

std::string shown(const Json& event, const char* member) {
  return triggerd::printable(event.value(member, ""), kShown);
}

Json without_kind(Json event) {
  event.erase("event");
  return event;
}

int code_of(const std::string& verdict) {
  if (verdict == "ok") return kDone;
  if (verdict == "retry" || verdict == "unavailable") return kRetry;
  return verdict == "reject" ? kReject : kTimeout;
}

std::string publish_text(const Json& event) {
  std::string text = shown(event, "topic");
  if (event.contains("alias")) text += fmt::format("  alias {}", shown(event, "alias"));
  text += fmt::format("  qos {}", event.value("qos", 0));
  if (event.value("retain", false)) text += "  retain";
  const bool is_text = event.contains("payload");
  text += fmt::format("  {}\"{}\"", is_text ? "" : "hex ",
                      shown(event, is_text ? "payload" : "payload_hex"));
  for (const Json& property : event.value("properties", Json::array())) {
    text += fmt::format("  {}={}",
                        property.contains("name") ? shown(property, "name")
                                                  : fmt::format("{:#04x}", property.value("id", 0)),
                        property.contains("value") ? shown(property, "value")
                                                   : std::to_string(property.value("number", 0)));
  }
  return text;
}

std::string verdict_text(const Json& event) {
  const std::string verdict = event.value("verdict", "");
  const Colour colour = verdict == "ok"                                  ? Colour::green
                        : verdict == "retry" || verdict == "unavailable" ? Colour::yellow
                                                                         : Colour::red;
  std::string text = coloured(colour, verdict);
  if (event.contains("retry_after_ms")) {
    text += fmt::format(" after {}",
                        triggerd::format_duration(Millis(event.value("retry_after_ms", 0))));
  }
  if (const std::string reason = shown(event, "reason"); !reason.empty()) text += ": " + reason;
  if (event.contains("ms")) {
    text += coloured(Colour::dim, fmt::format("  ({}{:.1f} ms)",
                                              event.value("pending", false) ? "pending, " : "",
                                              event.value("ms", 0.0)));
  }
  return text;
}

}  // namespace

RunReport::RunReport()
    : document_(std::make_unique<Json>(Json{{"verdicts", Json::array()},
                                            {"published", Json::array()},
                                            {"log", Json::array()},
                                            {"metrics", Json::object()}})) {}

RunReport::~RunReport() = default;

void RunReport::add(const Json& event) {
  const std::string kind = event.value("event", "");
  if (kind == "verdict") {
    code_ = std::max(code_, code_of(event.value("verdict", "")));
    (*document_)["verdicts"].push_back(without_kind(event));
  } else if (kind == "publish") {
    (*document_)["published"].push_back(without_kind(event));
  } else if (kind == "log") {
    (*document_)["log"].push_back(without_kind(event));
  } else if (kind == "metric") {
    (*document_)["metrics"][event.value("name", "")] = event.value("value", 0.0);
  } else if (kind == "failed") {
    failed_ = true;
    (*document_)["error"] = event.value("message", "");
  }
  if (!json_wanted()) print(event);
}

void RunReport::print(const Json& event) const {
  const std::string kind = event.value("event", "");
  if (kind == "verdict") {
    fmt::print("verdict  {}\n", verdict_text(event));
  } else if (kind == "publish") {
    fmt::print("publish  {}\n", publish_text(event));
  } else if (kind == "log") {
    fmt::print("log      {:<5}  {}\n", event.value("level", ""), shown(event, "text"));
  } else if (kind == "metric") {
    fmt::print("metric   {} {}\n", event.value("name", ""), event.value("value", 0.0));
  } else if (kind == "failed") {
    fail_with(event.value("message", ""));
  }
  std::fflush(stdout);
}

std::string how_it_died(const ChildEnd& end, Millis silence) {
  if (!end.signal.empty()) {
    return fmt::format("the plugin crashed with {} in {}", end.signal, end.stage);
  }
  if (end.silent) {
    return fmt::format("the plugin did not return from {} within {}", end.stage,
                       triggerd::format_duration(silence));
  }
  return "";
}

int RunReport::finish(const ChildEnd& end, Millis silence) {
  std::string died = how_it_died(end, silence);
  if (died.empty() && !failed_ && (*document_)["verdicts"].empty()) {
    died = fmt::format("the plugin ended its process with exit code {} in {}", end.code, end.stage);
  }
  if (!died.empty()) {
    (*document_)["error"] = died;
    if (!end.signal.empty()) (*document_)["signal"] = end.signal;
    if (!json_wanted()) fail_with(died);
  }
  if (json_wanted()) print_json(*document_);
  if (!died.empty()) return end.silent ? kTimeout : kCrashed;
  return failed_ ? static_cast<int>(kFailed) : code_;
}

}  // namespace triggerctl
