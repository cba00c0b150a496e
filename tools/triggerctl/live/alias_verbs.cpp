#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "client/api.hpp"
#include "live/definition.hpp"
#include "live/definition_verbs.hpp"
#include "live/live_verbs.hpp"
#include "live/status_view.hpp"

namespace triggerctl {
namespace {

Result<int> test_alias(const Api& api, const std::string& name) {
  const auto tested = api.post(path_of(Kind::alias, name) + "/test");
  if (!tested) return tl::make_unexpected(tested.error());
  const bool ok = flag_of(*tested, "ok");
  if (json_wanted()) {
    print_json(*tested);
  } else {
    fmt::print("{}: {} in {}{}\n", safe(text_of(*tested, "server", name)),
               ok ? coloured(Colour::green, "connected") : coloured(Colour::red, "not connected"),
               about_latency(number_of(*tested, "seconds")),
               ok ? "" : ": " + safe(text_of(*tested, "reason")));
  }
  return ok ? kDone : kFailed;
}

void print_alias(const Json& alias) {
  fmt::print("{}", aliases_text(Json::array({alias})));
}

Result<int> show_outbox(const Api& api, const std::string& name) {
  auto alias = api.get(path_of(Kind::alias, name));
  if (!alias) return tl::make_unexpected(alias.error());
  const auto kept = api.get(path_of(Kind::alias, name) + "/outbox");
  if (!kept) return tl::make_unexpected(kept.error());
  if (json_wanted()) {
    Json all = (*alias)["outbox"];
    all["items"] = list_of(*kept, "items");
    print_json(all);
  } else {
    fmt::print("{}", outbox_text((*alias)["outbox"], list_of(*kept, "items")));
  }
  return kDone;
}

Result<int> clear_outbox(const Api& api, const std::string& name) {
  const auto cleared = api.post(path_of(Kind::alias, name) + "/outbox/clear");
  if (!cleared) return tl::make_unexpected(cleared.error());
  if (json_wanted()) {
    print_json(*cleared);
  } else {
    const auto messages = count_of(*cleared, "cleared");
    fmt::print("{} {} removed from the outbox of {}\n", counted(messages, "message"),
               messages == 1 ? "was" : "were", safe(name));
  }
  return kDone;
}

}  // namespace

void add_alias_verbs(CommandLine& line) {
  Command group = line.group("alias", "connection aliases: see, define and test them");
  add_list_and_show(
      line, group, Kind::alias, [](const Json& all) { return aliases_text(all); }, print_alias);
  add_changes(line, group, Kind::alias);
  add_switch(line, group, Kind::alias, "enable", "connect it, now and at every start", "enabled");
  add_switch(line, group, Kind::alias, "disable",
             "disconnect it and its triggers, across restarts too; sessions are kept on the server",
             "disabled");
  const auto name = std::make_shared<std::string>();
  Command test = line.live_verb(group, "test",
                                "connect once, with a client id of its own, and report the result",
                                [name](const Api& api) { return test_alias(api, *name); });
  test.option("NAME", *name, "the alias").required();
  Command outbox =
      line.live_verb(group, "outbox", "what is kept to publish, and the oldest messages of it",
                     [name](const Api& api) { return show_outbox(api, *name); });
  outbox.option("NAME", *name, "the alias").required();
  Command clear =
      line.live_verb(group, "clear-outbox", "remove what is kept to publish and was not sent yet",
                     [name](const Api& api) { return clear_outbox(api, *name); });
  clear.option("NAME", *name, "the alias").required();
}

}  // namespace triggerctl
