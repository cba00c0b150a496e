#include "config/validate.hpp"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "base/text.hpp"
#include "base/units.hpp"

namespace triggerd::config {
namespace {

using Places = std::unordered_map<std::string_view, const Place*>;

// Adds a name; reports it if it is taken already.
void claim(Places& places, std::string_view kind, const std::string& name, const Place& place,
           Diagnostics& diagnostics) {
  if (name.empty()) return;  // reported as missing
  const auto [first, inserted] = places.emplace(name, &place);
  if (inserted) return;
  diagnostics.add(
      place,
      fmt::format("{} \"{}\" is already defined at {}; names must be unique across all files", kind,
                  printable(name), to_string(*first->second)));
}

void check_names(const Sections& sections, Diagnostics& diagnostics) {
  Places truststores;
  Places keystores;
  Places aliases;
  for (const Truststore& truststore : sections.truststores) {
    claim(truststores, "truststore", truststore.name, truststore.place, diagnostics);
  }
  for (const Keystore& keystore : sections.keystores) {
    claim(keystores, "keystore", keystore.name, keystore.place, diagnostics);
  }
  Places triggers;
  for (const AliasDraft& draft : sections.aliases) {
    claim(aliases, "alias", draft.alias.name, draft.alias.place, diagnostics);
  }
  for (const TriggerDraft& draft : sections.triggers) {
    claim(triggers, "trigger", draft.trigger.name, draft.name_place, diagnostics);
  }
}

// What outboxes keep is in the inbox's file.
void check_outboxes(const Sections& sections, Diagnostics& diagnostics) {
  for (const AliasDraft& draft : sections.aliases) {
    const std::optional<Outbox>& outbox = draft.alias.outbox;
    if (!outbox || outbox->max_size < sections.inbox.max_size) continue;
    diagnostics.add(
        outbox->max_size_place,
        fmt::format("max_size of the outbox ({}) is not less than max_size of [inbox] "
                    "({}), in whose file it is; give it less, or the inbox more",
                    format_size(outbox->max_size), format_size(sections.inbox.max_size)));
  }
}

// The configuration's own files may use what any package carries, and every package may use what
// they define.
bool may_use(const Sections& sections, std::string_view package, std::string_view owner) {
  if (package.empty() || owner.empty() || owner == package) return true;
  const auto required = sections.requirements.find(std::string(package));
  return required != sections.requirements.end() && required->second.count(std::string(owner)) > 0;
}

// Keys that need MQTT 5, in triggers whose alias speaks 3.1.1.
void check_protocols(const Sections& sections, Diagnostics& diagnostics) {
  std::unordered_map<std::string_view, Protocol> protocols;
  for (const AliasDraft& draft : sections.aliases) {
    protocols.emplace(draft.alias.name, draft.alias.protocol);
  }
  for (const TriggerDraft& draft : sections.triggers) {
    const auto protocol = protocols.find(draft.trigger.alias);
    if (protocol == protocols.end() || protocol->second == Protocol::v5) continue;
    for (const TriggerDraft::Mqtt5Key& key : draft.mqtt5_keys) {
      diagnostics.add(key.place,
                      fmt::format("{} needs an alias with protocol = \"5\"; \"{}\" speaks 3.1.1",
                                  key.key, draft.alias_shown));
    }
  }
}

// Who connects to which server with which client id. The server closes the older of two connections
// with the same client id, so they would close each other for ever.
class ClientIds {
 public:
  explicit ClientIds(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

  // `who` connects to all servers of `alias`.
  void claim(const Alias& alias, const std::string& client_id, const std::string& who,
             const Place& place) {
    for (const Server& server : alias.servers) {
      const auto [first, inserted] =
          taken_.emplace(where(alias, server) + '\n' + client_id, Claim{who, place});
      if (inserted || first->second.who == who) continue;
      diagnostics_.add(
          place, fmt::format("{} would connect to {} with the same client id as {} ({}); write "
                             "another client_id",
                             who, where(alias, server), first->second.who,
                             to_string(first->second.place)));
      return;
    }
  }

 private:
  // Behind two proxies, one name may mean two servers: "localhost", for example.
  static std::string where(const Alias& alias, const Server& server) {
    return alias.proxy ? fmt::format("{} through {}", to_string(server), to_string(*alias.proxy))
                       : to_string(server);
  }

  struct Claim {
    std::string who;
    Place place;
  };
  Diagnostics& diagnostics_;
  std::unordered_map<std::string, Claim> taken_;
};

void check_client_ids(const Sections& sections, Diagnostics& diagnostics) {
  ClientIds ids(diagnostics);
  std::unordered_map<std::string_view, const AliasDraft*> aliases;
  for (const AliasDraft& draft : sections.aliases) {
    if (draft.alias.client_id.empty()) continue;  // made at random, so nobody else has it
    aliases.emplace(draft.alias.name, &draft);
    ids.claim(draft.alias, draft.alias.client_id, fmt::format("alias \"{}\"", draft.alias.name),
              draft.client_id_place);
  }
  for (const TriggerDraft& draft : sections.triggers) {
    const auto alias = aliases.find(draft.trigger.alias);
    if (alias == aliases.end()) continue;
    ids.claim(alias->second->alias,
              fmt::format("{}.{}", alias->second->alias.client_id, draft.trigger.name),
              fmt::format("trigger \"{}\"", draft.trigger.name), draft.name_place);
  }
}

}  // namespace

void validate(const Sections& sections, Diagnostics& diagnostics) {
  check_names(sections, diagnostics);
  check_outboxes(sections, diagnostics);
  validate_tls(sections, diagnostics);
  check_protocols(sections, diagnostics);
  check_client_ids(sections, diagnostics);
}

void validate_alias_references(const Sections& sections, std::string_view package,
                               Diagnostics& diagnostics) {
  if (!sections.complete) return;  // it may be defined in the file that could not be read
  std::map<std::string_view, std::string_view> packages;  // by alias
  for (const AliasDraft& draft : sections.aliases) {
    packages.emplace(draft.alias.name, draft.alias.package);
  }
  std::vector<std::string_view> candidates;
  for (const auto& [name, owner] : packages) {
    if (may_use(sections, package, owner)) candidates.push_back(name);
  }
  std::unordered_map<std::string_view, std::string> suggestions;
  for (const TriggerDraft& draft : sections.triggers) {
    const std::string_view shown = draft.alias_shown;
    if (shown.empty() || draft.trigger.package != package) continue;
    const auto found = packages.find(draft.trigger.alias);
    if (found == packages.end()) {
      auto [suggestion, is_new] = suggestions.try_emplace(shown);
      if (is_new) suggestion->second = did_you_mean(shown, candidates);
      diagnostics.add(draft.alias_place,
                      fmt::format("there is no alias \"{}\"{}", shown, suggestion->second));
    } else if (!may_use(sections, package, found->second)) {
      diagnostics.add(
          draft.alias_place,
          fmt::format("alias \"{}\" belongs to package \"{}\", which package \"{}\" does not "
                      "require; add {{ name = \"{}\" }} to requires in its package.toml",
                      shown, found->second, package, found->second));
    }
  }
}

}  // namespace triggerd::config
