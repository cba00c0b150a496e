#include "live/causes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "client/api.hpp"

namespace triggerctl {
namespace {

constexpr std::size_t kNamed = 5;  // of everything that one cause stops

// "alias plant" of `alias "plant" is not connected: REASON`; then `line` is the reason. Empty: it
// says something else.
std::string take_subject(std::string_view& line) {
  for (const auto& [kind, verb] :
       {std::pair{"alias", "\" is not connected: "}, std::pair{"trigger", "\" is not running: "}}) {
    const std::string begin = fmt::format("{} \"", kind);
    if (!line.starts_with(begin)) continue;
    const std::size_t end = line.find(verb, begin.size());
    if (end == std::string_view::npos) continue;
    std::string subject = fmt::format("{} {}", kind, line.substr(begin.size(), end - begin.size()));
    line.remove_prefix(end + std::string_view(verb).size());
    return subject;
  }
  return {};
}

std::string named(const std::vector<std::string>& all) {
  std::string text;
  for (std::size_t i = 0; i < std::min(all.size(), kNamed); ++i) {
    text += (i > 0 ? ", " : "") + all[i];
  }
  if (all.size() > kNamed) text += fmt::format(" and {} more", all.size() - kNamed);
  return text;
}

}  // namespace

Causes::Causes(const Json& status) {
  for (const char* reasons : {"not_healthy", "not_ready"}) {
    for (const Json& reason : list_of(status, reasons)) {
      if (reason.is_string()) add(reason.get<std::string>());
    }
  }
}

void Causes::add(const std::string& line) {
  std::string_view rest = line;
  std::string subject = take_subject(rest);
  const auto found = std::find_if(causes_.begin(), causes_.end(),
                                  [rest](const Cause& cause) { return cause.reason == rest; });
  Cause& cause = found != causes_.end() ? *found : causes_.emplace_back();
  cause.reason = rest;
  if (!subject.empty()) cause.stops.push_back(std::move(subject));
}

std::string Causes::text() const {
  std::string text;
  for (const Cause& cause : causes_) {
    std::string line = safe(cause.reason);
    // On one line, with the names last, as the screen may cut it off.
    if (!cause.stops.empty()) line += ": " + safe(named(cause.stops));
    text += "  " + coloured(Colour::yellow, line) + '\n';
  }
  return text;
}

bool Causes::tell(const std::string& reason) const {
  return !reason.empty() &&
         std::any_of(causes_.begin(), causes_.end(),
                     [&reason](const Cause& cause) { return cause.reason.ends_with(reason); });
}

}  // namespace triggerctl
