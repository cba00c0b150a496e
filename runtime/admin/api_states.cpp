// Aliases and triggers: enabled, disabled, suspended, resumed.
#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "admin/api.hpp"
#include "admin/body.hpp"
#include "management/states.hpp"
#include "management/status.hpp"

namespace triggerd::admin {
namespace {

using management::StateControl;
using management::StatusReader;

// One change of state, answered with what it has become.
using Change = management::Outcome<> (*)(StateControl&, const std::string& name,
                                         const management::Actor& by, const std::string& reason);

// Nothing where it was changed.
std::optional<Reply> refusal(StateControl& states, const Request& request, Change change) {
  Body body(request, false);
  const std::string reason = body.text("reason");
  if (auto refused = body.refused()) return refused;
  const auto changed = change(states, request.names[0], who(request), reason);
  if (!changed) return problem(changed.error());
  return std::nullopt;
}

Reply change_alias(StateControl& states, const StatusReader& status, const Request& request,
                   Change change) {
  if (auto refused = refusal(states, request, change)) return *std::move(refused);
  const auto alias = status.alias(request.names[0]);
  return alias ? json_reply(to_json(*alias, true)) : problem(alias.error());
}

Reply change_trigger(StateControl& states, const StatusReader& status, const Clock& clock,
                     const Request& request, Change change) {
  if (auto refused = refusal(states, request, change)) return *std::move(refused);
  const auto trigger = status.trigger(request.names[0]);
  return trigger ? json_reply(to_json(*trigger, clock.wall(), true)) : problem(trigger.error());
}

}  // namespace

void add_state_routes(Router& router, StateControl& states, const StatusReader& status,
                      const Clock& clock) {
  const auto alias = [&](const char* verb, Change change) {
    router.change("POST", fmt::format("/api/v1/aliases/{{name}}/{}", verb),
                  [&states, &status, change](const Request& request) {
                    return change_alias(states, status, request, change);
                  });
  };
  const auto trigger = [&](const char* verb, Change change) {
    router.change("POST", fmt::format("/api/v1/triggers/{{name}}/{}", verb),
                  [&states, &status, &clock, change](const Request& request) {
                    return change_trigger(states, status, clock, request, change);
                  });
  };
  alias("enable", [](StateControl& to, const std::string& name, const management::Actor& by,
                     const std::string&) { return to.enable_alias(name, by); });
  alias("disable", [](StateControl& to, const std::string& name, const management::Actor& by,
                      const std::string& reason) { return to.disable_alias(name, by, reason); });
  trigger("enable", [](StateControl& to, const std::string& name, const management::Actor& by,
                       const std::string&) { return to.enable_trigger(name, by); });
  trigger("disable",
          [](StateControl& to, const std::string& name, const management::Actor& by,
             const std::string& reason) { return to.disable_trigger(name, by, reason); });
  trigger("suspend",
          [](StateControl& to, const std::string& name, const management::Actor& by,
             const std::string& reason) { return to.suspend_trigger(name, by, reason); });
  trigger("resume", [](StateControl& to, const std::string& name, const management::Actor& by,
                       const std::string&) { return to.resume_trigger(name, by); });
}

}  // namespace triggerd::admin
