#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "client/api.hpp"
#include "live/event_view.hpp"
#include "live/live_verbs.hpp"
#include "live/report_view.hpp"
#include "live/status_view.hpp"

namespace triggerctl {
namespace {

struct TailOptions {
  std::string trigger;
  std::string kinds;
  std::uint64_t count = 0;
};

// Which messages of the topic the service gets, and when.
std::string conditions_of(const Json& match) {
  std::vector<std::string> conditions;
  if (match.contains("when")) conditions.push_back("when " + text_of(match, "when"));
  if (match.contains("once_by")) conditions.push_back("once by " + text_of(match, "once_by"));
  if (const std::string pacing = pacing_text(match); !pacing.empty()) conditions.push_back(pacing);
  return fmt::format("{}", fmt::join(conditions, ", "));
}

Result<int> match(const Api& api, const std::string& topic) {
  const auto matched = api.get("/match" + query({{"topic", topic}}));
  if (!matched) return tl::make_unexpected(matched.error());
  if (json_wanted()) {
    print_json(*matched);
    return kDone;
  }
  Table table({"TRIGGER", "GETS IT", "FILTER", "WHY NOT, OR WHEN"});
  for (const Json& each : list_of(*matched, "triggers")) {
    const bool gets = flag_of(each, "gets");
    const Colour colour = gets                       ? Colour::green
                          : flag_of(each, "matches") ? Colour::yellow
                                                     : Colour::dim;
    table.add({safe(text_of(each, "trigger")),
               {gets ? "yes" : "no", colour},
               safe(text_of(each, "filter", "-")),
               safe(text_of(each, "reason", conditions_of(each)))});
  }
  const std::string text = table.text();
  fmt::print("{}", text.empty() ? "there are no triggers\n" : text);
  return kDone;
}

Result<int> tail(const Api& api, const TailOptions& options) {
  std::uint64_t seen = 0;
  const auto ended =
      api.events("/events" + query({{"trigger", options.trigger}, {"kind", options.kinds}}),
                 [&](const Json& event) {
                   if (json_wanted()) {
                     print_json_line(event);
                   } else {
                     fmt::print("{}\n", event_line(event));
                     std::fflush(stdout);
                   }
                   return ++seen != options.count;
                 });
  if (!ended) return tl::make_unexpected(ended.error());
  return kDone;
}

Result<int> reload(const Api& api) {
  const auto report = api.post("/reload");
  if (!report) return tl::make_unexpected(report.error());
  return print_report(*report);
}

}  // namespace

void add_runtime_verbs(CommandLine& line) {
  const auto topic = std::make_shared<std::string>();
  Command matching = line.live_verb(
      line.root(), "match", "which triggers would get a message, and why the others would not",
      [topic](const Api& api) { return match(api, *topic); });
  matching.option("TOPIC", *topic, "the message's topic").required();

  const auto options = std::make_shared<TailOptions>();
  Command tailing = line.live_verb(
      line.root(), "tail", "print messages, verdicts and changes as they happen, until Ctrl-C",
      [options](const Api& api) { return tail(api, *options); });
  tailing.option("--trigger", options->trigger, "only those of this trigger");
  tailing.option("--kind", options->kinds,
                 "only these, separated by commas: message, dead_letter, trigger, alias, "
                 "connection, plugin, package, runtime, inbox");
  tailing.option("--count", options->count, "stop after this many");

  line.live_verb(line.root(), "reload",
                 "read the configuration again, as SIGHUP does: if all of it is valid, the "
                 "differences are applied, otherwise nothing changes",
                 reload);
}

}  // namespace triggerctl
