#include "admin/json.hpp"

#include <fmt/chrono.h>
#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/base64.hpp"
#include "base/text.hpp"

namespace triggerd::admin {
namespace {

void put_text(Json& json, const char* name, const std::string& text) {
  if (!text.empty()) json[name] = text;
}

void put_pacing(Json& json, const management::PacingRules& rules) {
  put_text(json, "max_rate", rules.max_rate);
  put_text(json, "delay", rules.delay);
}
void put_time(Json& json, const char* name, const std::optional<Wall>& at) {
  if (at && *at != Wall{}) json[name] = time_text(*at);
}
void put_age(Json& json, const std::optional<Wall>& oldest, Wall now) {
  if (!oldest) return;
  // The clock may have been set back meanwhile.
  const std::chrono::duration<double> age = now - *oldest;
  json["oldest_seconds"] = age.count() > 0 ? age.count() : 0.0;
}

Json origin_of(const management::Definition& definition) {
  Json origin = {{"kind", to_string(definition.origin)}};
  put_text(origin, "file", definition.file);
  if (definition.line > 0) origin["line"] = definition.line;
  put_text(origin, "package", definition.package);
  return origin;
}

void put_definition(Json& json, const management::Definition& definition) {
  // With its name, so that it can be sent back as it is.
  Json whole = {{"name", definition.name}};
  const Json keys = Json::parse(definition.json, nullptr, false);
  if (keys.is_object()) whole.update(keys);
  json["definition"] = std::move(whole);
  json["toml"] = definition.toml;
  json["secrets"] = definition.secrets;
}

Json latency_of(const HistogramSnapshot& histogram) {
  Json latency = {{"count", histogram.count}, {"sum", histogram.sum}};
  if (histogram.count > 0) {
    latency["p50"] = histogram.quantile(0.5);
    latency["p99"] = histogram.quantile(0.99);
  }
  return latency;
}

Json properties_of(const std::vector<std::pair<std::string, std::string>>& properties) {
  Json list = Json::array();
  for (const auto& [name, value] : properties) list.push_back({{"name", name}, {"value", value}});
  return list;
}

Json outbox_json(const management::OutboxStatus& outbox) {
  Json json = {
      {"messages", outbox.messages},   {"bytes", outbox.bytes},     {"max_bytes", outbox.max_bytes},
      {"in_flight", outbox.in_flight}, {"sent", outbox.sent},       {"refused", outbox.refused},
      {"dropped", outbox.dropped},     {"expired", outbox.expired}, {"cleared", outbox.cleared}};
  put_time(json, "oldest", outbox.oldest);
  return json;
}

}  // namespace

std::string time_text(Wall at) {
  const auto millis = std::chrono::floor<Millis>(at);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(millis);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", utc_of(at), (millis - seconds).count());
}

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void put_payload(Json& json, std::string_view payload, bool cut) {
  const std::size_t most = cut ? std::min<std::size_t>(payload.size(), 3) : 0;
  for (std::size_t left_out = 0; left_out <= most; ++left_out) {
    const std::string_view text = payload.substr(0, payload.size() - left_out);
    if (is_utf8(text)) {
      json["payload"] = text;
      return;
    }
  }
  json["payload_base64"] = base64(payload);
}

Json to_json(const management::AliasStatus& alias, bool detail) {
  const management::ConnectionView* own = nullptr;
  for (const auto& connection : alias.connections) {
    if (connection.trigger.empty()) {
      own = &connection;
      break;
    }
  }
  Json json = {{"name", alias.definition.name},
               {"description", alias.description},
               {"enabled", alias.enabled}};
  put_text(json, "disabled_by", alias.disabled_by);
  if (!alias.enabled) {
    json["state"] = "disabled";
    put_text(json, "reason", alias.disabled_reason);
    put_time(json, "since", alias.disabled_since);
  } else {
    json["state"] = own != nullptr ? own->state : "off";
    if (own != nullptr) {
      put_text(json, "reason", own->reason);
      put_time(json, "since", own->since);
    }
  }
  json["servers"] = alias.servers;
  json["client_id"] = alias.client_id;
  json["protocol"] = alias.protocol;
  put_time(json, "certificate_ends", alias.certificate_ends);
  json["origin"] = origin_of(alias.definition);
  json["published_ok"] = alias.published_ok;
  json["published_failed"] = alias.published_failed;
  if (alias.outbox) json["outbox"] = outbox_json(*alias.outbox);
  json["connections"] = Json::array();
  for (const auto& connection : alias.connections) {
    Json one = {{"client_id", connection.client_id}};
    put_text(one, "trigger", connection.trigger);
    one["state"] = connection.state;
    one["up"] = connection.up;
    put_text(one, "reason", connection.reason);
    put_time(one, "since", connection.since);
    put_text(one, "server", connection.server);
    one["reconnects"] = connection.reconnects;
    one["sessions_lost"] = connection.sessions_lost;
    json["connections"].push_back(std::move(one));
  }
  if (detail) put_definition(json, alias.definition);
  return json;
}

std::string_view state_of(const management::TriggerStatus& trigger) {
  if (trigger.state != management::TriggerStatus::State::enabled) return to_string(trigger.state);
  if (!trigger.running) return "waiting";
  if (trigger.unavailable_since) return "unavailable";
  return trigger.paused ? "paused" : "running";
}

Json to_json(const management::TriggerStatus& trigger, Wall now, bool detail) {
  using State = management::TriggerStatus::State;
  Json json = {{"name", trigger.definition.name},
               {"description", trigger.description},
               {"enabled", trigger.state != State::disabled},
               {"state", state_of(trigger)}};
  if (trigger.state != State::enabled) {
    put_text(json, "reason", trigger.state_reason);
    put_time(json, "since", trigger.state_since);
    put_text(json, "changed_by", trigger.state_by);
  } else if (!trigger.running) {
    put_text(json, "reason", trigger.not_running_reason);
  } else if (trigger.unavailable_since) {
    put_text(json, "reason", trigger.unavailable_reason);
    put_time(json, "since", trigger.unavailable_since);
  } else if (trigger.paused) {
    put_text(json, "reason", trigger.pause_reason);
  }
  json["alias"] = trigger.alias;
  json["service"] = trigger.service;
  json["filters"] = Json::array();
  for (const auto& filter : trigger.filters) {
    Json one = {{"filter", filter.filter}, {"qos", filter.asked_qos}};
    if (filter.granted_qos) one["granted_qos"] = *filter.granted_qos;
    put_text(one, "refusal", filter.refusal);
    json["filters"].push_back(std::move(one));
  }
  json["origin"] = origin_of(trigger.definition);
  json["queued"] = trigger.queued;
  json["in_flight"] = trigger.in_flight;
  json["delayed"] = trigger.delayed;
  put_pacing(json, trigger.pacing.rules);
  json["waiting_for_delay"] = trigger.pacing.waiting_for_delay;
  json["rate_holds"] = trigger.pacing.rate_holds;
  json["rate_held_seconds"] = trigger.pacing.rate_held_seconds;
  json["late"] = trigger.late;
  json["inbox_messages"] = trigger.inbox_messages;
  put_age(json, trigger.inbox_oldest, now);
  json["dead_letters"] = trigger.dead_letters;
  json["dead_letters_made"] = trigger.counters.dead_letters_made;
  json["received"] = trigger.counters.received;
  json["handled"] = {{"ok", trigger.counters.ok},
                     {"filtered", trigger.counters.filtered},
                     {"duplicate", trigger.counters.duplicates},
                     {"retry", trigger.counters.retried},
                     {"reject", trigger.counters.rejected},
                     {"exhausted", trigger.counters.exhausted},
                     {"timeout", trigger.counters.timed_out},
                     {"invalid", trigger.counters.invalid_verdicts},
                     {"unavailable", trigger.counters.unavailable},
                     {"expired", trigger.counters.expired},
                     {"discarded", trigger.counters.discarded}};
  if (trigger.keys) {
    json["deduplicate"] = {{"keys", *trigger.keys},
                           {"forgotten", trigger.counters.keys_forgotten},
                           {"without_key", trigger.counters.without_key}};
  }
  json["paused_seconds"] = trigger.paused_seconds;
  json["handle_seconds"] = latency_of(trigger.handle);
  json["delivery_seconds"] = latency_of(trigger.delivery);
  if (detail) put_definition(json, trigger.definition);
  return json;
}

Json to_json(const management::PluginStatus& plugin) {
  Json json = {{"name", plugin.name},
               {"file", plugin.file},
               {"version", plugin.version},
               {"generation", plugin.generation},
               {"sha256", plugin.sha256},
               {"in_service_since", time_text(plugin.in_service_since)},
               {"services", plugin.services},
               {"triggers", plugin.triggers},
               {"reloads", plugin.reloads},
               {"reloads_failed", plugin.reloads_failed},
               {"rolled_back", plugin.rolled_back},
               {"last_pause_seconds", plugin.last_pause_seconds},
               {"longest_pause_seconds", plugin.longest_pause_seconds},
               {"on_probation", plugin.on_probation},
               {"metrics", Json::array()}};
  for (const auto& metric : plugin.metrics) {
    json["metrics"].push_back({{"trigger", metric.trigger},
                               {"name", metric.name},
                               {"help", metric.help},
                               {"type", metric.counter ? "counter" : "gauge"},
                               {"value", metric.value}});
  }
  return json;
}

Json to_json(const management::PackageStatus& package) {
  const char* state = !package.problems.empty() ? "broken" : "enabled";
  if (!package.enabled) state = "disabled";
  Json json = {{"name", package.name},
               {"version", package.version},
               {"description", package.description},
               {"folder", package.folder},
               {"enabled", package.enabled},
               {"state", state}};
  if (!package.problems.empty()) json["problems"] = package.problems;
  json["requires"] = package.requirements;
  json["aliases"] = package.aliases;
  json["triggers"] = package.triggers;
  return json;
}

Json to_json(const management::StoreStatus& store) {
  using Age = management::CertificateStatus::Age;
  Json certificates = Json::array();
  std::optional<Wall> ends;
  Age worst = Age::good;
  for (const management::CertificateStatus& one : store.certificates) {
    if (!ends || one.valid_until < *ends) ends = one.valid_until;
    const auto badness = [](Age age) {
      return age == Age::good ? 0 : age == Age::ends_soon ? 1 : age == Age::not_yet ? 2 : 3;
    };
    if (badness(one.age) > badness(worst)) worst = one.age;
    Json certificate = Json::object();
    put_text(certificate, "key_alias", one.key_alias);
    certificate["subject"] = one.subject;
    certificate["issuer"] = one.issuer;
    certificate["valid_from"] = time_text(one.valid_from);
    certificate["valid_until"] = time_text(one.valid_until);
    certificate["state"] = to_string(one.age);
    certificates.push_back(std::move(certificate));
  }
  Json json = {{"kind", to_string(store.kind)},
               {"name", store.definition.name},
               {"file", store.file},
               {"origin", origin_of(store.definition)},
               {"state", store.problem.empty() ? to_string(worst) : "broken"}};
  put_text(json, "problem", store.problem);
  put_time(json, "valid_until", ends);
  json["aliases"] = store.aliases;
  json["certificates"] = std::move(certificates);
  return json;
}

Json to_json(const management::InboxStatus& inbox, Wall now) {
  Json json = {{"messages", inbox.messages},   {"bytes", inbox.bytes},
               {"max_bytes", inbox.max_bytes}, {"dead_letters", inbox.dead_letters},
               {"acks_held", inbox.acks_held}, {"leaked_generations", inbox.leaked_generations}};
  put_age(json, inbox.oldest, now);
  put_text(json, "trouble", inbox.trouble);
  return json;
}

Json to_json(const management::ReloadReport& report, bool applied) {
  return {{"applied", applied},
          {"added", report.added},
          {"removed", report.removed},
          {"changed", report.changed},
          {"restarted", report.restarted},
          {"unchanged", report.unchanged},
          {"needs_restart", report.needs_restart},
          {"failures", report.failures},
          {"warnings", report.warnings},
          {"seconds", report.seconds}};
}

Json to_json(const management::AliasTest& test) {
  Json json = {{"ok", test.ok}};
  put_text(json, "server", test.server);
  json["seconds"] = test.seconds;
  put_text(json, "reason", test.reason);
  return json;
}

Json to_json(const management::TriggerTest& test) {
  Json json = {{"verdict", test.verdict}};
  put_text(json, "reason", test.reason);
  if (test.retry_after_ms > 0) {
    json["retry_after_seconds"] = static_cast<double>(test.retry_after_ms) / 1000;
  }
  json["seconds"] = test.seconds;
  put_pacing(json, test.pacing);
  if (test.key) {
    json["deduplicate"] = {{"by", test.key->rule}, {"handled", test.key->handled}};
    if (test.key->text) json["deduplicate"]["key"] = *test.key->text;
  }
  json["published"] = Json::array();
  for (const auto& message : test.published) {
    Json one = Json::object();
    put_text(one, "alias", message.alias);
    one["topic"] = message.topic;
    put_payload(one, message.payload);
    one["qos"] = message.qos;
    one["retained"] = message.retained;
    json["published"].push_back(std::move(one));
  }
  json["log"] = Json::array();
  for (const auto& line : test.log) {
    json["log"].push_back({{"level", line.level}, {"text", line.text}});
  }
  return json;
}

Json to_json(const management::TopicMatch& match) {
  Json json = {
      {"trigger", match.trigger}, {"matches", !match.filter.empty()}, {"gets", match.gets_it}};
  put_text(json, "filter", match.filter);
  put_text(json, "reason", match.because);
  if (!match.filter.empty()) {
    put_text(json, "when", match.when);
    put_pacing(json, match.pacing);
    put_text(json, "once_by", match.once_by);
  }
  return json;
}

Json to_json(const management::DeadLetterView& letter) {
  Json json = {{"number", letter.number},
               {"message_id", letter.message_id},
               {"trigger", letter.trigger},
               {"topic", letter.topic},
               {"qos", letter.qos},
               {"retained", letter.retained},
               {"reason", letter.reason},
               {"attempts", letter.attempts},
               {"received", time_text(letter.received)},
               {"died", time_text(letter.died)},
               {"bytes", letter.payload_size}};
  put_payload(json, letter.payload, letter.payload.size() < letter.payload_size);
  if (!letter.user_properties.empty()) {
    json["properties"] = properties_of(letter.user_properties);
  }
  return json;
}

Json to_json(const management::KeptMessage& message) {
  Json json = {{"topic", message.topic},
               {"qos", message.qos},
               {"retained", message.retained},
               {"published", time_text(message.published)},
               {"bytes", message.payload_size}};
  put_payload(json, message.payload, message.payload.size() < message.payload_size);
  return json;
}

Json to_json(const management::AdminEvent& event) {
  Json json = {{"number", event.number}, {"kind", event.kind}, {"at", time_text(event.when)}};
  put_text(json, "trigger", event.trigger);
  put_text(json, "alias", event.alias);
  put_text(json, "plugin", event.plugin);
  put_text(json, "text", event.text);
  if (event.kind == "message" || event.kind == "dead_letter") {
    put_text(json, "message_id", event.message_id);
    json["topic"] = event.topic;
    json["qos"] = event.qos;
    put_payload(json, event.payload, event.payload.size() < event.payload_size);
    json["bytes"] = event.payload_size;
    put_text(json, "verdict", event.verdict);
    json["attempt"] = event.attempt;
    json["seconds"] = event.seconds;
  }
  return json;
}

}  // namespace triggerd::admin
