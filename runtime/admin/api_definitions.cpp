// Aliases and triggers: created, edited, deleted; and the whole configuration, read again.
#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "admin/api.hpp"
#include "admin/body.hpp"
#include "base/text.hpp"

namespace triggerd::admin {
namespace {

using management::DefinitionChange;
using management::DefinitionControl;
using management::DefinitionKind;

Reply report_reply(const management::Outcome<management::ReloadReport>& report,
                   bool applied = true) {
  return report ? json_reply(to_json(*report, applied)) : problem(report.error());
}

// Creates (`name` empty: the body says it) or replaces.
Reply define(DefinitionControl& definitions, const Request& request, DefinitionKind kind,
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
  const auto report = definitions.change_definition(change, who(request));
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

Reply remove(DefinitionControl& definitions, const Request& request, DefinitionKind kind) {
  DefinitionChange change;
  change.verb = DefinitionChange::Verb::remove;
  change.kind = kind;
  change.name = request.names[0];
  return report_reply(definitions.change_definition(change, who(request)));
}

void add_kind(Router& router, DefinitionControl& definitions, const std::string& path,
              DefinitionKind kind) {
  router.change("POST", path, [&definitions, kind](const Request& request) {
    return define(definitions, request, kind, "");
  });
  router.change("PUT", path + "/{name}", [&definitions, kind](const Request& request) {
    return define(definitions, request, kind, request.names[0]);
  });
  router.change("DELETE", path + "/{name}", [&definitions, kind](const Request& request) {
    return remove(definitions, request, kind);
  });
}

}  // namespace

void add_definition_routes(Router& router, DefinitionControl& definitions) {
  add_kind(router, definitions, "/api/v1/aliases", DefinitionKind::alias);
  add_kind(router, definitions, "/api/v1/triggers", DefinitionKind::trigger);
  router.change("POST", "/api/v1/reload", [&definitions](const Request& request) {
    return report_reply(definitions.reload(who(request)));
  });
}

}  // namespace triggerd::admin
