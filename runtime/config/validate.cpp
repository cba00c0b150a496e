#include "config/validate.hpp"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "base/text.hpp"

namespace triggerd::config {
namespace {

using Places = std::unordered_map<std::string_view, const Place*>;

// Adds a name; reports it where it is taken already.
void claim(Places& places, std::string_view kind, const std::string& name, const Place& place,
           Diagnostics& diagnostics) {
  if (name.empty()) return;  // reported as missing
  const auto [first, inserted] = places.emplace(name, &place);
  if (inserted) return;
  diagnostics.add(place, fmt::format("{} \"{}\" is already defined at {}; names are unique across "
                                     "all files",
                                     kind, printable(name), to_string(*first->second)));
}

void check_names(const Sections& sections, Diagnostics& diagnostics) {
  Places aliases;
  Places triggers;
  for (const AliasDraft& draft : sections.aliases) {
    claim(aliases, "alias", draft.alias.name, draft.alias.place, diagnostics);
  }
  for (const TriggerDraft& draft : sections.triggers) {
    claim(triggers, "trigger", draft.trigger.name, draft.name_place, diagnostics);
  }
}

void check_alias_references(const Sections& sections, Diagnostics& diagnostics) {
  if (!sections.complete) return;  // it may be defined in the file that could not be read
  std::set<std::string_view> names;
  for (const AliasDraft& draft : sections.aliases) names.insert(draft.alias.name);
  const std::vector<std::string_view> candidates(names.begin(), names.end());
  std::unordered_map<std::string_view, std::string> suggestions;
  for (const TriggerDraft& draft : sections.triggers) {
    const std::string_view shown = draft.alias_shown;
    if (shown.empty() || names.count(draft.trigger.alias) > 0) continue;
    auto [suggestion, is_new] = suggestions.try_emplace(shown);
    if (is_new) suggestion->second = did_you_mean(shown, candidates);
    diagnostics.add(draft.alias_place,
                    fmt::format("there is no alias \"{}\"{}", shown, suggestion->second));
  }
}

// What only MQTT 5 has, in triggers whose alias speaks 3.1.1.
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

// Who connects to which server with which client id. The server ends the older of two connections
// with the same one, and they would end each other for ever.
class ClientIds {
 public:
  explicit ClientIds(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

  // `who` connects to all servers of `alias`.
  void claim(const Alias& alias, const std::string& client_id, const std::string& who,
             const Place& place) {
    for (const Server& server : alias.servers) {
      const auto [first, inserted] =
          taken_.emplace(to_string(server) + '\n' + client_id, Claim{who, place});
      if (inserted || first->second.who == who) continue;
      diagnostics_.add(
          place,
          fmt::format("{} would connect to {} with the same client id as {} ({}); write "
                      "another client_id",
                      who, to_string(server), first->second.who, to_string(first->second.place)));
      return;
    }
  }

 private:
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
  check_alias_references(sections, diagnostics);
  check_protocols(sections, diagnostics);
  check_client_ids(sections, diagnostics);
}

}  // namespace triggerd::config
