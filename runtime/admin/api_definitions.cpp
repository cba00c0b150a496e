// Aliases and triggers: created, edited, deleted, enabled, disabled; and the whole configuration,
// read again.
#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "admin/api.hpp"
#include "admin/body.hpp"
#include "base/text.hpp"

namespace triggerd::admin {
namespace {

using management::Administration;
using management::DefinitionChange;
using management::DefinitionKind;

Reply report_reply(const management::Outcome<management::ReloadReport>& report,
                   bool applied = true) {
  return report ? json_reply(to_json(*report, applied)) : problem(report.error());
}

// Creates (`name` empty: the body says it) or replaces.
Reply define(Administration& runtime, const Request& request, DefinitionKind kind,
             const std::string& name) {
  Body body(request, true);
  body.all_known();
  DefinitionChange change;
  change.kind = kind;
  change.verb = name.empty() ? DefinitionChange::Verb::create : DefinitionChange::Verb::replace;
  const std::string said = body.text("name", name.empty());
  if (auto refused = body.refused()) return *refused;
  if (!name.empty() && !said.empty() && said != name) {
    const std::string message = fmt::format("must be \"{}\", as in the path", name);
    return problem(422, "name: " + message, {{"name", message}});
  }
  change.name = name.empty() ? said : name;
  std::vector<FieldError> errors;
  change.check_only = flag_parameter(request, "check", errors);
  if (!errors.empty()) return bad_parameters(errors);
  change.text = definition_of(request, body.whole().dump());
  const auto report = runtime.change_definition(change, who(request));
  Reply reply = report_reply(report, !change.check_only);
  if (report && name.empty() && !change.check_only) {
    reply.status = 201;
    reply.headers.emplace_back(
        "Location",
        fmt::format("/api/v1/{}/{}", kind == DefinitionKind::alias ? "aliases" : "triggers",
                    percent_encoded(change.name)));
  }
  return reply;
}

Reply remove(Administration& runtime, const Request& request, DefinitionKind kind) {
  DefinitionChange change;
  change.verb = DefinitionChange::Verb::remove;
  change.kind = kind;
  change.name = request.names[0];
  return report_reply(runtime.change_definition(change, who(request)));
}

// Why, where the body says so.
std::string reason_of(Body& body) {
  return body.text("reason");
}

void add_kind(Router& router, Administration& runtime, const std::string& path,
              DefinitionKind kind) {
  router.change("POST", path, [&runtime, kind](const Request& request) {
    return define(runtime, request, kind, "");
  });
  router.change("PUT", path + "/{name}", [&runtime, kind](const Request& request) {
    return define(runtime, request, kind, request.names[0]);
  });
  router.change("DELETE", path + "/{name}", [&runtime, kind](const Request& request) {
    return remove(runtime, request, kind);
  });
}

// One change of state, answered with what it has become.
using Change = management::Outcome<> (*)(Administration&, const std::string& name,
                                         const management::By& by, const std::string& reason);

// Nothing where it was changed.
std::optional<Reply> refusal(Administration& runtime, const Request& request, Change change) {
  Body body(request, false);
  const std::string reason = reason_of(body);
  if (auto refused = body.refused()) return refused;
  const auto changed = change(runtime, request.names[0], who(request), reason);
  if (!changed) return problem(changed.error());
  return std::nullopt;
}

Reply change_alias(Administration& runtime, const Request& request, Change change) {
  if (auto refused = refusal(runtime, request, change)) return *std::move(refused);
  const auto alias = runtime.alias(request.names[0]);
  return alias ? json_reply(to_json(*alias, true)) : problem(alias.error());
}

Reply change_trigger(Administration& runtime, const Request& request, Change change) {
  if (auto refused = refusal(runtime, request, change)) return *std::move(refused);
  const auto trigger = runtime.trigger(request.names[0]);
  return trigger ? json_reply(to_json(*trigger, system_clock().wall(), true))
                 : problem(trigger.error());
}

void add_states(Router& router, Administration& runtime) {
  const auto alias = [&](const char* verb, Change change) {
    router.change("POST", fmt::format("/api/v1/aliases/{{name}}/{}", verb),
                  [&runtime, change](const Request& request) {
                    return change_alias(runtime, request, change);
                  });
  };
  const auto trigger = [&](const char* verb, Change change) {
    router.change("POST", fmt::format("/api/v1/triggers/{{name}}/{}", verb),
                  [&runtime, change](const Request& request) {
                    return change_trigger(runtime, request, change);
                  });
  };
  alias("enable", [](Administration& to, const std::string& name, const management::By& by,
                     const std::string&) { return to.enable_alias(name, by); });
  alias("disable", [](Administration& to, const std::string& name, const management::By& by,
                      const std::string& reason) { return to.disable_alias(name, by, reason); });
  trigger("enable", [](Administration& to, const std::string& name, const management::By& by,
                       const std::string&) { return to.enable_trigger(name, by); });
  trigger("disable",
          [](Administration& to, const std::string& name, const management::By& by,
             const std::string& reason) { return to.disable_trigger(name, by, reason); });
  trigger("suspend",
          [](Administration& to, const std::string& name, const management::By& by,
             const std::string& reason) { return to.suspend_trigger(name, by, reason); });
  trigger("resume", [](Administration& to, const std::string& name, const management::By& by,
                       const std::string&) { return to.resume_trigger(name, by); });
}

}  // namespace

void add_definition_routes(Router& router, Administration& runtime) {
  add_kind(router, runtime, "/api/v1/aliases", DefinitionKind::alias);
  add_kind(router, runtime, "/api/v1/triggers", DefinitionKind::trigger);
  add_states(router, runtime);
  router.change("POST", "/api/v1/reload", [&runtime](const Request& request) {
    return report_reply(runtime.reload(who(request)));
  });
}

}  // namespace triggerd::admin
