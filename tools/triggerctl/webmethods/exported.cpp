#include "webmethods/exported.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.hpp"

namespace triggerd::webmethods {
namespace {

// What triggerd takes: see docs/reference/configuration.md.
constexpr long long kMaxKeepAlive = 65'535;
constexpr long long kDay = 86'400;
constexpr long long kWeek = 7 * kDay;
constexpr long long kMaxThreads = 1'024;
constexpr long long kMaxCapacity = 1'000'000;
constexpr long long kMaxRetries = 999'999;
constexpr long long kForEver = -1;

// Calls `read` with a reader for each object in the list `field`. False: an element is not an
// object.
template <class Read>
bool for_each(FieldReader& reader, std::string_view field, std::string_view what,
              Findings& findings, Read&& read) {
  const auto* items = reader.list(field);
  if (items == nullptr) return !reader.has(field);
  bool all = true;
  for (std::size_t i = 0; i < items->size(); ++i) {
    const Value& item = (*items)[i];
    FieldReader inner(item, fmt::format("{}[{}]", field, i), findings);
    if (item.kind != Value::Kind::object) {
      inner.error(item.line,
                  fmt::format("{} must be an object, not {}", what, to_string(item.kind)));
      all = false;
      continue;
    }
    read(inner);
    inner.finish();
  }
  return all;
}

// Its name, which every later error uses.
Read<std::string> read_name(FieldReader& reader, std::string_view field, std::string_view what) {
  Read<std::string> name = reader.needed_text(field);
  if (name.given) reader.rename(fmt::format("{} \"{}\"", what, printable(name.value)));
  return name;
}

ExportedStore read_store(FieldReader& reader, std::string_view what) {
  return {.name = read_name(reader, "aliasName", what),
          .location = reader.text("location").value,
          .type = reader.text("type").value};
}

void read_will(FieldReader& alias, Findings& findings, ExportedAlias& exported) {
  const Value* object = alias.object("lastWill");
  if (object == nullptr) return;
  FieldReader reader(*object, alias.what() + ", lastWill", findings);
  const bool enabled = reader.flag("enabled", true).value;
  ExportedWill will{
      .enabled = enabled,
      .topic = enabled ? reader.needed_text("topic") : reader.text("topic"),
      .qos = reader.qos().value,
      .retained = reader.flag("retained", false).value,
      .payload = reader.text("payload").value,
      .on_connect = reader.text("onConnect"),
      .on_disconnect = reader.text("onDisconnect"),
  };
  reader.finish();
  if (enabled || !will.topic.value.empty()) {
    exported.will.push_back(std::move(will));
  } else if (will.on_connect.given || will.on_disconnect.given || !will.payload.empty()) {
    findings.ignored.push_back(
        {reader.line(), reader.what() + ": it is off and has no topic: its payloads are left out"});
  }
}

ExportedAlias read_alias(FieldReader& reader, Findings& findings) {
  ExportedAlias alias;
  alias.line = reader.line();
  alias.name = read_name(reader, "aliasName", "alias");
  alias.description = reader.text("description").value;
  alias.package = reader.text("packageName", std::string(kMainPackage)).value;
  alias.enabled = reader.flag("enabled", true).value;
  alias.host = reader.needed_text("host");
  alias.client_id = reader.text("clientId");
  alias.clean_session = reader.flag("useCleanSession", false).value;
  alias.connection_timeout = reader.integer("connectionTimeout", 30, 0, kDay).value;
  alias.keep_alive = reader.integer("keepAlive", 60, 0, kMaxKeepAlive).value;
  read_will(reader, findings, alias);
  alias.user_name = reader.text("userName");
  alias.password = {reader.has("password"), reader.line(), reader.has("password")};
  reader.skip("password");
  alias.use_ssl = reader.flag("useSSL", false);
  alias.truststore = reader.text("truststoreAlias");
  alias.keystore = reader.text("keystoreAlias");
  alias.key = reader.text("keyAlias");
  return alias;
}

ExportedTrigger read_trigger(FieldReader& reader, Findings& findings) {
  ExportedTrigger trigger;
  trigger.line = reader.line();
  trigger.name = read_name(reader, "triggerName", "trigger");
  trigger.description = reader.text("description").value;
  trigger.package = reader.text("packageName", std::string(kMainPackage)).value;
  const auto state = reader.choice("state", {"enabled", "disabled", "suspended"});
  trigger.state = {static_cast<ExportedState>(state.value), state.line, state.given};
  if (const auto enabled = reader.flag("enabled", true); !state.given && !enabled.value) {
    trigger.state = {ExportedState::disabled, enabled.line, true};
  }
  trigger.alias = reader.needed_text("connectionAliasName");
  trigger.service = reader.needed_text("serviceName");
  for_each(reader, "topics", "a topic", findings, [&](FieldReader& topic) {
    topic.rename(reader.what() + ", " + topic.what());
    trigger.topics.push_back({.filter = topic.needed_text("topicName"), .qos = topic.qos().value});
  });
  if (trigger.topics.empty()) reader.error(reader.line(), "topics is missing or empty");
  trigger.threads = reader.integer("maxExecutionThreads", 1, 1, kMaxThreads).value;
  trigger.queue_capacity = reader.integer("queueCapacity", 10, 1, kMaxCapacity);
  const auto acknowledge = reader.choice("acknowledgement", {"client", "auto"});
  trigger.acknowledged_by_client = {acknowledge.value == 0, acknowledge.line, acknowledge.given};
  trigger.retries = reader.integer("maxRetryAttempts", 0, kForEver, kMaxRetries);
  trigger.retry_interval = reader.integer("retryInterval", 10, 0, kWeek);
  const auto failure = reader.choice("onRetryFailure", {"throwException", "stopTrigger"});
  trigger.stops_on_failure = {failure.value == 1, failure.line, failure.given};
  trigger.monitor = reader.text("resourceMonitoringService");
  return trigger;
}

void read_settings(FieldReader& root, Findings& findings, Exported& exported) {
  const Value* object = root.object("settings");
  if (object == nullptr) return;
  FieldReader reader(*object, "settings", findings);
  exported.retry_period =
      reader.integer("watt.server.commonmessaging.connection.retryPeriod", 20, 1, kWeek);
  exported.stop_request_time =
      reader.integer("watt.server.commonmessaging.trigger.stopRequestTimeOut", 3, 0, kDay);
  reader.finish();
}

}  // namespace

Exported read_exported(const Value& root, Findings& findings) {
  Exported exported;
  FieldReader reader(root, "the file", findings);
  if (root.kind != Value::Kind::object) {
    reader.error(root.line, fmt::format("it must be an object, not {}", to_string(root.kind)));
    return exported;
  }
  const auto format = reader.needed_text("format");
  if (format.given && format.value != kFormat) {
    reader.error(format.line, fmt::format("format is \"{}\"; this version reads \"{}\", as "
                                          "docs/guides/import-webmethods.md describes it",
                                          printable(format.value), kFormat));
    return exported;
  }
  exported.source = reader.text("source").value;
  for_each(reader, "packages", "a package", findings, [&](FieldReader& item) {
    ExportedPackage package;
    package.line = item.line();
    package.name = read_name(item, "packageName", "package");
    package.version = item.text("version");
    package.description = item.text("description").value;
    package.enabled = item.flag("enabled", true).value;
    exported.packages.push_back(std::move(package));
  });
  for_each(reader, "truststores", "a truststore", findings, [&](FieldReader& item) {
    exported.truststores.push_back(read_store(item, "truststore"));
  });
  for_each(reader, "keystores", "a keystore", findings, [&](FieldReader& item) {
    item.skip("password");
    exported.keystores.push_back(read_store(item, "keystore"));
  });
  exported.all_aliases_named =
      for_each(
          reader, "connectionAliases", "an alias", findings,
          [&](FieldReader& item) { exported.aliases.push_back(read_alias(item, findings)); }) &&
      std::all_of(exported.aliases.begin(), exported.aliases.end(),
                  [](const ExportedAlias& alias) { return alias.name.given; });
  for_each(reader, "triggers", "a trigger", findings,
           [&](FieldReader& item) { exported.triggers.push_back(read_trigger(item, findings)); });
  read_settings(reader, findings, exported);
  reader.finish();
  return exported;
}

}  // namespace triggerd::webmethods
