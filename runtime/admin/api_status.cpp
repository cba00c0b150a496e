// /healthz, /readyz, /api/v1/status, and what there is by name: lists and single ones.
#include <nlohmann/json.hpp>

#include "admin/api.hpp"
#include "base/text.hpp"
#include "management/status.hpp"

namespace triggerd::admin {
namespace {

template <class T, class ToJson>
Reply list_reply(const std::vector<T>& items, ToJson&& to) {
  Json json = {{"items", Json::array()}};
  for (const T& item : items) json["items"].push_back(to(item));
  return json_reply(json);
}

template <class T, class ToJson>
Json array_of(const std::vector<T>& items, ToJson&& to) {
  Json json = Json::array();
  for (const T& item : items) json.push_back(to(item));
  return json;
}

Json brief(const management::AliasStatus& alias) {
  return to_json(alias, false);
}
Json plugin_json(const management::PluginStatus& plugin) {
  return to_json(plugin);
}
Json package_json(const management::PackageStatus& package) {
  return to_json(package);
}
Json store_json(const management::StoreStatus& store) {
  return to_json(store);
}
auto brief_triggers(Wall now) {
  return [now](const management::TriggerStatus& trigger) { return to_json(trigger, now, false); };
}

// What whoever asks may do: the words of the table in docs/reference/http-api.md.
Json may_of(const Request& request, bool manage) {
  Json may = {"look"};
  if (request.may < May::change) return may;
  may.push_back("change");
  if (manage) may.push_back("define");
  if (manage && request.via == Via::unix_socket) may.push_back("packages");
  return may;
}

Json status_json(const management::StatusReader& runtime, const Request& request, Wall now) {
  const management::RuntimeStatus status = runtime.runtime();
  const std::chrono::duration<double> uptime = now - status.started;
  Json json = {{"name", status.name},
               {"version", status.version},
               {"pid", status.process_id},
               {"started", time_text(status.started)},
               {"uptime_seconds", uptime.count()},
               {"manage", status.manage},
               {"may", may_of(request, status.manage)},
               {"healthy", status.healthy}};
  if (!status.not_healthy.empty()) json["not_healthy"] = status.not_healthy;
  json["ready"] = status.ready;
  if (!status.not_ready.empty()) json["not_ready"] = status.not_ready;
  json["config_file"] = status.config_file;
  if (status.reloaded) json["reloaded"] = time_text(*status.reloaded);
  if (!status.last_reload_failure.empty()) {
    json["last_reload_failure"] = status.last_reload_failure;
  }
  json["needs_restart"] = status.needs_restart;
  json["inbox"] = to_json(runtime.inbox_status(), now);
  json["aliases"] = array_of(runtime.aliases(), brief);
  json["triggers"] = array_of(runtime.triggers(), brief_triggers(now));
  json["plugins"] = array_of(runtime.plugins(), plugin_json);
  json["packages"] = array_of(runtime.packages(), package_json);
  return json;
}

// Of those that can only be listed.
template <class T>
Reply named(const std::vector<T>& items, const std::string& what, const std::string& name,
            Json (*to)(const T&)) {
  std::vector<std::string_view> candidates;
  for (const T& item : items) {
    if (item.name == name) return json_reply(to(item));
    candidates.push_back(item.name);
  }
  std::string detail = "there is no " + what + " \"" + printable(name) + "\"";
  const std::string meant = closest(name, candidates);
  if (!meant.empty()) detail += "; did you mean \"" + meant + "\"?";
  return problem(404, detail);
}

// The reasons name aliases and servers, so they are not for everybody.
Reply state_reply(bool good, const char* yes, const char* no,
                  const std::vector<std::string>& reasons, May may) {
  Json json = {{"status", good ? yes : no}};
  if (!good && may >= May::look) json["reasons"] = reasons;
  return json_reply(json, good ? 200 : 503);
}

}  // namespace

void add_status_routes(Router& router, const management::StatusReader& runtime,
                       const Clock& clock) {
  router.add({"GET", "/healthz", Lane::health,
              [&runtime](const Request& request) {
                const auto status = runtime.runtime();
                return state_reply(status.healthy, "ok", "failing", status.not_healthy,
                                   request.may);
              },
              true});
  router.add({"GET", "/readyz", Lane::health,
              [&runtime](const Request& request) {
                const auto status = runtime.runtime();
                return state_reply(status.ready, "ready", "not ready", status.not_ready,
                                   request.may);
              },
              true});
  router.get("/api/v1/status", [&runtime, &clock](const Request& request) {
    return json_reply(status_json(runtime, request, clock.wall()));
  });
  router.get("/api/v1/aliases",
             [&runtime](const Request&) { return list_reply(runtime.aliases(), brief); });
  router.get("/api/v1/aliases/{name}", [&runtime](const Request& request) {
    const auto alias = runtime.alias(request.names[0]);
    return alias ? json_reply(to_json(*alias, true)) : problem(alias.error());
  });
  router.get("/api/v1/triggers", [&runtime, &clock](const Request&) {
    return list_reply(runtime.triggers(), brief_triggers(clock.wall()));
  });
  router.get("/api/v1/triggers/{name}", [&runtime, &clock](const Request& request) {
    const auto trigger = runtime.trigger(request.names[0]);
    return trigger ? json_reply(to_json(*trigger, clock.wall(), true)) : problem(trigger.error());
  });
  router.get("/api/v1/plugins",
             [&runtime](const Request&) { return list_reply(runtime.plugins(), plugin_json); });
  router.get("/api/v1/plugins/{name}", [&runtime](const Request& request) {
    return named(runtime.plugins(), "plugin", request.names[0], plugin_json);
  });
  router.get("/api/v1/packages",
             [&runtime](const Request&) { return list_reply(runtime.packages(), package_json); });
  router.get("/api/v1/packages/{name}", [&runtime](const Request& request) {
    return named(runtime.packages(), "package", request.names[0], package_json);
  });
  router.get("/api/v1/stores",
             [&runtime](const Request&) { return list_reply(runtime.stores(), store_json); });
}

}  // namespace triggerd::admin
