// [aliases.NAME]
#include "base/text.hpp"
#include "config/server_address.hpp"
#include "config/topic_filter.hpp"
#include "config/write_tree.hpp"
#include "webmethods/convert.hpp"

namespace triggerd::webmethods {
namespace {

constexpr std::string_view kTcp = "tcp://";
constexpr std::string_view kSsl = "ssl://";

bool has_scheme(std::string_view host) {
  return host.find("://") != std::string_view::npos;
}
bool names_tls(std::string_view host) {
  for (const std::string_view scheme : {"ssl://", "mqtts://", "tls://", "wss://"}) {
    if (host.starts_with(scheme)) return true;
  }
  return false;
}

}  // namespace

bool Conversion::is_tls(const ExportedAlias& alias) const {
  return alias.use_ssl.value || names_tls(alias.host.value);
}

void Conversion::write_alias(const ExportedAlias& alias, const std::string& name) {
  const Entry entry{fmt::format("alias \"{}\"", printable(alias.name.value)), alias.line};
  toml_.blank();
  write_name(entry, alias.name, name);
  write_package(entry, alias.package);
  if (const auto moved = moved_.find(&alias); moved != moved_.end()) {
    differs(entry,
            "it belongs to package \"{}\" there, and packages that require each other use it, such "
            "as \"{}\", which is not possible here: it belongs to no package",
            printable(alias.package), printable(moved->second));
  }
  toml_.header(fmt::format("[aliases.{}]", config::toml_key(name)));
  if (!alias.description.empty()) toml_.set_text("description", alias.description);
  if (!alias.enabled) toml_.set("enabled", "false");
  write_host(entry, alias);
  write_session(entry, alias);
  write_login(entry, alias, name);
  write_tls(entry, alias);
  write_will(entry, alias, name);
}

void Conversion::write_host(const Entry& entry, const ExportedAlias& alias) {
  if (!alias.host.given) return;
  const bool tls = is_tls(alias);
  std::string host = alias.host.value;
  if (!has_scheme(host)) {
    host = std::string(tls ? kSsl : kTcp) + host;
  } else if (tls && host.starts_with(kTcp)) {
    host = std::string(kSsl) + host.substr(kTcp.size());
    differs(entry,
            "Use SSL is on although the address says tcp://; here only the address decides, so it "
            "is ssl://");
  }
  if (const auto server = config::parse_server(host); !server) {
    error(alias.host.line, entry, "host: {}", server.error().message);
    return;
  }
  toml_.set_text("host", host);
  const std::string& id = alias.client_id.value;
  if (id.empty()) {
    differs(entry,
            "its client id was generated each time; here it is generated once and kept, so that "
            "its session is found again");
    return;
  }
  for (const auto& [other_host, other_id] : client_ids_) {
    if (other_host != host || other_id != id) continue;
    differs(entry,
            "another alias uses client id \"{}\" on the same server already, and they would close "
            "each other's connections: one is generated",
            printable(id));
    return;
  }
  client_ids_.emplace_back(host, id);
  if (!alias.clean_session) {
    differs(entry,
            "a trigger connects as CLIENT_ID.TRIGGER: sessions that the server keeps for "
            "Integration Server's client ids are not resumed, and should be ended there");
  }
  toml_.set_text("client_id", id);
}

void Conversion::write_session(const Entry& entry, const ExportedAlias& alias) {
  toml_.set("clean_session", alias.clean_session ? "true" : "false");
  toml_.set_text("connection_timeout", fmt::format("{}s", alias.connection_timeout));
  toml_.set_text("keep_alive", fmt::format("{}s", alias.keep_alive));
  constexpr long long kTheirs = 20;
  const long long period = exported_.retry_period.value;
  const bool chosen = exported_.retry_period.given && period != kTheirs;
  if (chosen || options_.exact) {
    differs(entry, "it reconnected every {} s; here too, with jitter", period);
    toml_.set("reconnect", fmt::format("{{ min = \"{0}s\", max = \"{0}s\" }}", period));
  } else {
    differs(entry, "it reconnected every {} s; here after 1 s, growing to 60 s, with jitter",
            kTheirs);
  }
}

void Conversion::write_login(const Entry& entry, const ExportedAlias& alias,
                             const std::string& name) {
  if (alias.user_name.value.empty()) {
    if (alias.password.value) differs(entry, "it has a password but no user name: left out");
    return;
  }
  toml_.set_text("user_name", alias.user_name.value);
  const std::string file = fmt::format("secrets/{}.password", name);
  differs(entry,
          "its password is not exported; write it into {}, readable only by the runtime's user, or "
          "leave password_file out if there is none",
          file);
  toml_.set_text("password_file", file);
}

void Conversion::write_tls(const Entry& entry, const ExportedAlias& alias) {
  if (!is_tls(alias)) {
    for (const auto* store : {&alias.truststore, &alias.keystore, &alias.key}) {
      if (store->value.empty()) continue;
      differs(entry, "it names \"{}\" but does not use SSL: left out", printable(store->value));
    }
    return;
  }
  differs(entry, "here it is always verified that the certificate belongs to the host");
  if (alias.truststore.value.empty()) {
    differs(entry, "it names no truststore, but one is required here: the system's certificates");
  }
  toml_.set_text("truststore", truststores_.find(alias.truststore.value));
  if (alias.keystore.value.empty()) {
    if (!alias.key.value.empty()) {
      differs(entry, "key alias \"{}\" without a keystore is left out", printable(alias.key.value));
    }
    return;
  }
  toml_.set_text("keystore", keystores_.find(alias.keystore.value));
  if (!alias.key.value.empty()) toml_.set_text("key_alias", alias.key.value);
}

void Conversion::write_will(const Entry& entry, const ExportedAlias& alias,
                            const std::string& name) {
  for (const ExportedWill& will : alias.will) {
    if (const auto checked = config::check_topic_name(will.topic.value);
        !checked && will.topic.given) {
      error(will.topic.line, entry, "last-will topic \"{}\" {}", printable(will.topic.value),
            checked.error().message);
    }
    toml_.blank();
    if (will.enabled) {
      differs(entry,
              "only the alias's own connection has the last will, not those of its triggers: "
              "presence is announced once");
    } else {
      differs(entry,
              "its last will is off: the server publishes nothing, and only the alias's own "
              "connection announces it, not those of its triggers");
    }
    toml_.header(fmt::format("[aliases.{}.last_will]", config::toml_key(name)));
    if (!will.enabled) toml_.set("enabled", "false");
    toml_.set_text("topic", will.topic.value);
    toml_.set("qos", std::to_string(will.qos));
    toml_.set("retained", will.retained ? "true" : "false");
    toml_.set_text("payload", will.payload);
    if (will.on_connect.given) toml_.set_text("on_connect_payload", will.on_connect.value);
    if (will.on_disconnect.given) {
      toml_.set_text("on_disconnect_payload", will.on_disconnect.value);
    }
  }
}

}  // namespace triggerd::webmethods
