#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "client/api.hpp"
#include "live/definition.hpp"
#include "live/definition_verbs.hpp"
#include "live/live_verbs.hpp"
#include "live/message_options.hpp"
#include "live/status_view.hpp"

namespace triggerctl {
namespace {

struct TestOptions {
  std::string name;
  MessageOptions message;
};

void print_published(const Json& published) {
  const std::string payload = payload_of(published);
  fmt::print("published   {} (QoS {}{}{})  {}\n", safe(text_of(published, "topic")),
             count_of(published, "qos"), flag_of(published, "retained") ? ", retained" : "",
             published.contains("alias") ? ", on " + safe(text_of(published, "alias")) : "",
             shortened(payload, 120));
}

Result<int> test_trigger(const Api& api, const TestOptions& options) {
  const auto body = message_from(options.message);
  if (!body) return tl::make_unexpected(body.error());
  const auto tested = api.post(path_of(Kind::trigger, options.name) + "/test", *body);
  if (!tested) return tl::make_unexpected(tested.error());
  const std::string verdict = text_of(*tested, "verdict");
  const bool ok = verdict == "ok";
  if (json_wanted()) {
    print_json(*tested);
    return ok ? kDone : kFailed;
  }
  for (const Json& log : list_of(*tested, "log")) {
    fmt::print("log {:<7} {}\n", safe(text_of(log, "level")), safe(text_of(log, "text")));
  }
  for (const Json& published : list_of(*tested, "published")) print_published(published);
  const std::string reason = text_of(*tested, "reason");
  fmt::print("verdict     {} in {}{}{}\n",
             coloured(ok                      ? Colour::green
                      : verdict == "filtered" ? Colour::yellow
                                              : Colour::red,
                      safe(verdict)),
             about_latency(number_of(*tested, "seconds")),
             reason.empty() ? "" : ": " + safe(reason),
             tested->contains("retry_after_seconds")
                 ? ", retry after " + about_seconds(number_of(*tested, "retry_after_seconds"))
                 : "");
  if (const std::string pacing = pacing_text(*tested); !pacing.empty()) {
    fmt::print("pace        {} (not for this test)\n", safe(pacing));
  }
  if (const auto once = tested->find("deduplicate"); once != tested->end()) {
    fmt::print("key         {}{}\n",
               once->contains("key")
                   ? safe(text_of(*once, "by")) + " " + shortened(text_of(*once, "key"), 120)
                   : "none by " + safe(text_of(*once, "by")) + ": handled each time",
               flag_of(*once, "handled")
                   ? coloured(Colour::yellow,
                              "; a message with it was handled: this one would be a duplicate")
                   : "");
  }
  if (flag_of(*tested, "matches")) {
    fmt::print("filter      {}\n", safe(text_of(*tested, "filter")));
  } else {
    fmt::print("{}\n", coloured(Colour::yellow,
                                "no filter of this trigger matches that topic: it "
                                "would not get such a message"));
  }
  return ok ? kDone : kFailed;
}

void print_trigger(const Json& trigger) {
  fmt::print("{}\n", triggers_text(Json::array({trigger})));
  Table table({"FILTER", "QOS", "GRANTED"});
  for (const Json& filter : list_of(trigger, "filters")) {
    table.add({safe(text_of(filter, "filter")), std::to_string(count_of(filter, "qos")),
               filter.contains("granted_qos") ? std::to_string(count_of(filter, "granted_qos"))
                                              : safe(text_of(filter, "refusal", "-"))});
  }
  fmt::print("{}", table.text());
  if (const std::string pacing = pacing_text(trigger); !pacing.empty()) {
    fmt::print("\npace        {}{}\n", safe(pacing),
               flag_of(trigger, "rate_holds") ? ": messages wait for their turn" : "");
  }
  if (trigger.contains("delay")) {
    fmt::print("waiting     {} for their delay\n", count_of(trigger, "waiting_for_delay"));
  }
  if (const auto once = trigger.find("deduplicate"); once != trigger.end()) {
    fmt::print("\nkeys of handled messages  {}; duplicates  {}; without a key  {}\n",
               count_of(*once, "keys"), count_of(trigger["handled"], "duplicate"),
               count_of(*once, "without_key"));
  }
}

}  // namespace

void add_trigger_verbs(CommandLine& line) {
  Command group = line.group("trigger", "triggers: see, define, run and test them");
  add_list_and_show(
      line, group, Kind::trigger, [](const Json& all) { return triggers_text(all); },
      print_trigger);
  add_changes(line, group, Kind::trigger);
  add_switch(line, group, Kind::trigger, "enable", "run it, now and at every start", "enabled");
  add_switch(line, group, Kind::trigger, "disable",
             "stop it, across restarts too; its session is kept on the server", "disabled");
  add_switch(line, group, Kind::trigger, "suspend",
             "stop it until it is resumed; its session is kept on the server", "suspended");
  add_switch(line, group, Kind::trigger, "resume", "continue after a suspension", "resumed");
  const auto options = std::make_shared<TestOptions>();
  Command test = line.live_verb(group, "test",
                                "call its service once with a message, and print the verdict; what "
                                "it publishes is shown, not sent",
                                [options](const Api& api) { return test_trigger(api, *options); });
  test.option("NAME", options->name, "the trigger").required();
  add_message_options(test, options->message);
}

}  // namespace triggerctl
