#include "webmethods/alias_section.hpp"

#include "base/text.hpp"
#include "config/server_address.hpp"
#include "config/topic_filter.hpp"
#include "config/write_tree.hpp"
#include "webmethods/common_keys.hpp"

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

// One section while it is written.
class AliasSection {
 public:
  AliasSection(Draft& draft, const Context& context, ClientIds& client_ids,
               const ExportedAlias& alias, const std::string& name)
      : draft_(draft),
        context_(context),
        client_ids_(client_ids),
        alias_(alias),
        name_(name),
        entry_{fmt::format("alias \"{}\"", printable(alias.name.value)), alias.line} {}

  void write();

 private:
  void write_host();
  void write_session();
  void write_login();
  void write_tls();
  void write_will();

  Draft& draft_;
  const Context& context_;
  ClientIds& client_ids_;
  const ExportedAlias& alias_;
  const std::string& name_;
  const Entry entry_;
};

void AliasSection::write() {
  draft_.toml.blank();
  note_name(draft_, entry_, alias_.name, name_);
  note_package(draft_, entry_, context_.options, alias_.package);
  if (const std::string* const moved = context_.plan.moved_for(alias_)) {
    draft_.differs(
        entry_,
        "it belongs to package \"{}\" there, and packages that require each other use it, such "
        "as \"{}\", which is not possible here: it belongs to no package",
        printable(alias_.package), printable(*moved));
  }
  draft_.toml.header(fmt::format("[aliases.{}]", config::toml_key(name_)));
  if (!alias_.description.empty()) draft_.toml.set_text("description", alias_.description);
  if (!alias_.enabled) draft_.toml.set("enabled", "false");
  write_host();
  write_session();
  write_login();
  write_tls();
  write_will();
}

void AliasSection::write_host() {
  if (!alias_.host.given) return;
  const bool tls = uses_tls(alias_);
  std::string host = alias_.host.value;
  if (!has_scheme(host)) {
    host = std::string(tls ? kSsl : kTcp) + host;
  } else if (tls && host.starts_with(kTcp)) {
    host = std::string(kSsl) + host.substr(kTcp.size());
    draft_.differs(
        entry_,
        "Use SSL is on although the address says tcp://; here only the address decides, so it "
        "is ssl://");
  }
  if (const auto server = config::parse_server(host); !server) {
    draft_.error(alias_.host.line, entry_, "host: {}", server.error().message);
    return;
  }
  draft_.toml.set_text("host", host);
  const std::string& id = alias_.client_id.value;
  if (id.empty()) {
    draft_.differs(
        entry_,
        "its client id was generated each time; here it is generated once and kept, so that "
        "its session is found again");
    return;
  }
  for (const auto& [other_host, other_id] : client_ids_) {
    if (other_host != host || other_id != id) continue;
    draft_.differs(
        entry_,
        "another alias uses client id \"{}\" on the same server already, and they would close "
        "each other's connections: one is generated",
        printable(id));
    return;
  }
  client_ids_.emplace_back(host, id);
  if (!alias_.clean_session) {
    draft_.differs(entry_,
                   "a trigger connects as CLIENT_ID.TRIGGER: sessions that the server keeps for "
                   "Integration Server's client ids are not resumed, and should be ended there");
  }
  draft_.toml.set_text("client_id", id);
}

void AliasSection::write_session() {
  draft_.toml.set("clean_session", alias_.clean_session ? "true" : "false");
  draft_.toml.set_text("connection_timeout", fmt::format("{}s", alias_.connection_timeout));
  draft_.toml.set_text("keep_alive", fmt::format("{}s", alias_.keep_alive));
  constexpr long long kTheirs = 20;
  const long long period = context_.exported.retry_period.value;
  const bool chosen = context_.exported.retry_period.given && period != kTheirs;
  if (chosen || context_.options.exact) {
    draft_.differs(entry_, "it reconnected every {} s; here too, with jitter", period);
    draft_.toml.set("reconnect", fmt::format("{{ min = \"{0}s\", max = \"{0}s\" }}", period));
  } else {
    draft_.differs(
        entry_, "it reconnected every {} s; here after 1 s, growing to 60 s, with jitter", kTheirs);
  }
}

void AliasSection::write_login() {
  if (alias_.user_name.value.empty()) {
    if (alias_.password.value)
      draft_.differs(entry_, "it has a password but no user name: left out");
    return;
  }
  draft_.toml.set_text("user_name", alias_.user_name.value);
  const std::string file = fmt::format("secrets/{}.password", name_);
  draft_.differs(
      entry_,
      "its password is not exported; write it into {}, readable only by the runtime's user, or "
      "leave password_file out if there is none",
      file);
  draft_.toml.set_text("password_file", file);
}

void AliasSection::write_tls() {
  if (!uses_tls(alias_)) {
    for (const auto* store : {&alias_.truststore, &alias_.keystore, &alias_.key}) {
      if (store->value.empty()) continue;
      draft_.differs(entry_, "it names \"{}\" but does not use SSL: left out",
                     printable(store->value));
    }
    return;
  }
  draft_.differs(entry_, "here it is always verified that the certificate belongs to the host");
  if (alias_.truststore.value.empty()) {
    draft_.differs(entry_,
                   "it names no truststore, but one is required here: the system's certificates");
  }
  draft_.toml.set_text("truststore", context_.names.truststores.find(alias_.truststore.value));
  if (alias_.keystore.value.empty()) {
    if (!alias_.key.value.empty()) {
      draft_.differs(entry_, "key alias \"{}\" without a keystore is left out",
                     printable(alias_.key.value));
    }
    return;
  }
  draft_.toml.set_text("keystore", context_.names.keystores.find(alias_.keystore.value));
  if (!alias_.key.value.empty()) draft_.toml.set_text("key_alias", alias_.key.value);
}

void AliasSection::write_will() {
  for (const ExportedWill& will : alias_.will) {
    if (const auto checked = config::check_topic_name(will.topic.value);
        !checked && will.topic.given) {
      draft_.error(will.topic.line, entry_, "last-will topic \"{}\" {}",
                   printable(will.topic.value), checked.error().message);
    }
    draft_.toml.blank();
    if (will.enabled) {
      draft_.differs(
          entry_,
          "only the alias's own connection has the last will, not those of its triggers: "
          "presence is announced once");
    } else {
      draft_.differs(entry_,
                     "its last will is off: the server publishes nothing, and only the alias's own "
                     "connection announces it, not those of its triggers");
    }
    draft_.toml.header(fmt::format("[aliases.{}.last_will]", config::toml_key(name_)));
    if (!will.enabled) draft_.toml.set("enabled", "false");
    draft_.toml.set_text("topic", will.topic.value);
    draft_.toml.set("qos", std::to_string(will.qos));
    draft_.toml.set("retained", will.retained ? "true" : "false");
    draft_.toml.set_text("payload", will.payload);
    if (will.on_connect.given) draft_.toml.set_text("on_connect_payload", will.on_connect.value);
    if (will.on_disconnect.given) {
      draft_.toml.set_text("on_disconnect_payload", will.on_disconnect.value);
    }
  }
}

}  // namespace

bool uses_tls(const ExportedAlias& alias) {
  return alias.use_ssl.value || names_tls(alias.host.value);
}

void write_alias(Draft& draft, const Context& context, ClientIds& client_ids,
                 const ExportedAlias& alias, const std::string& name) {
  AliasSection(draft, context, client_ids, alias, name).write();
}

}  // namespace triggerd::webmethods
