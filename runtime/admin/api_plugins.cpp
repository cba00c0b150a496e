// Plugins and packages.
#include <nlohmann/json.hpp>

#include "admin/api.hpp"
#include "admin/body.hpp"
#include "management/plugins.hpp"

namespace triggerd::admin {
namespace {

using management::PluginControl;

Reply report_reply(const management::Outcome<management::ReloadReport>& report) {
  return report ? json_reply(to_json(*report, true)) : problem(report.error());
}

Reply reload_plugin(PluginControl& plugins, const Request& request) {
  std::vector<FieldError> errors;
  management::PluginReloadOptions how;
  how.force = flag_parameter(request, "force", errors);
  how.drop_state = flag_parameter(request, "drop_state", errors);
  if (!errors.empty()) return bad_parameters(errors);
  const auto reload = plugins.reload_plugin(request.names[0], how, who(request));
  if (!reload) return problem(reload.error());
  return json_reply({{"changed", reload->changed},
                     {"generation", reload->generation},
                     {"version", reload->version},
                     {"pause_seconds", reload->pause_seconds}});
}

// A package brings code, which runs with the runtime's rights: only whoever has those anyway, its
// own user, may install one.
std::optional<Reply> refuse_code(const Request& request) {
  if (request.via == Via::unix_socket) return std::nullopt;
  return problem(403,
                 "packages can be installed and removed only over the Unix socket: use triggerctl "
                 "on that machine, as the user that the runtime runs as");
}

Reply install(PluginControl& plugins, const Request& request) {
  if (auto refused = refuse_code(request)) return *refused;
  Body body(request, true);
  const std::string archive = body.text("archive", true);
  const auto values = body.texts("values");
  const bool downgrade = body.flag("downgrade");
  if (auto refused = body.refused()) return *refused;
  return report_reply(plugins.install_package(archive, values, downgrade, who(request)));
}

}  // namespace

void add_plugin_routes(Router& router, PluginControl& plugins) {
  router.change("POST", "/api/v1/plugins/{name}/reload",
                [&plugins](const Request& request) { return reload_plugin(plugins, request); });
  router.change("POST", "/api/v1/packages",
                [&plugins](const Request& request) { return install(plugins, request); });
  router.change("DELETE", "/api/v1/packages/{name}", [&plugins](const Request& request) {
    if (auto refused = refuse_code(request)) return *refused;
    return report_reply(plugins.remove_package(request.names[0], who(request)));
  });
  router.change("POST", "/api/v1/packages/{name}/enable", [&plugins](const Request& request) {
    return report_reply(plugins.enable_package(request.names[0], who(request)));
  });
  router.change("POST", "/api/v1/packages/{name}/disable", [&plugins](const Request& request) {
    return report_reply(plugins.disable_package(request.names[0], who(request)));
  });
}

}  // namespace triggerd::admin
