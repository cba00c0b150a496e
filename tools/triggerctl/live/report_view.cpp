#include "live/report_view.hpp"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "client/api.hpp"
#include "command_line.hpp"

namespace triggerctl {

int print_report(const Json& report) {
  const bool failed = !list_of(report, "failures").empty();
  const int code = failed ? kFailed : kDone;
  if (json_wanted()) {
    print_json(report);
    return code;
  }
  constexpr std::array<std::pair<const char*, const char*>, 4> parts{{{"added", "added"},
                                                                      {"removed", "removed"},
                                                                      {"changed", "changed"},
                                                                      {"restarted", "restarted"}}};
  bool any = false;
  for (const auto& [key, word] : parts) {
    for (const Json& each : list_of(report, key)) {
      any = true;
      fmt::print("{:<10} {}\n", word, safe(each.get<std::string>()));
    }
  }
  for (const Json& each : list_of(report, "needs_restart")) {
    fmt::print("{}\n", coloured(Colour::yellow, "takes effect at the next start: " +
                                                    safe(each.get<std::string>())));
  }
  for (const Json& each : list_of(report, "warnings")) {
    fmt::print("{} {}\n", coloured(Colour::yellow, "warning:"),
               safe_lines(each.get<std::string>()));
  }
  if (!flag_of(report, "applied")) {
    fmt::print("valid; a check changes nothing\n");
  } else {
    fmt::print(
        "{}, {} untouched\n",
        any ? "applied in " + about_latency(number_of(report, "seconds")) : "nothing changed",
        count_of(report, "unchanged"));
  }
  std::fflush(stdout);
  for (const Json& each : list_of(report, "failures")) {
    fmt::print(stderr, "triggerctl: error: {}\n", safe_lines(each.get<std::string>()));
  }
  return code;
}

}  // namespace triggerctl
