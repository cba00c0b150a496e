#include "control/members/session_choice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "control/running/registry.hpp"

namespace triggerd::control {
namespace {

struct Owner {
  const config::Trigger* trigger;  // null: the alias itself, which may keep what it publishes
  const config::Alias* alias;
};
using Owners = std::map<std::string, Owner>;  // by client id

bool has(const config::Alias& alias, const std::string& server) {
  return server.empty() ||  // an older version has not noted it
         std::any_of(alias.servers.begin(), alias.servers.end(),
                     [&](const config::Server& one) { return config::to_string(one) == server; });
}

bool in_unreadable_package(const config::Config& config, const std::string& package) {
  const config::Package* found = config.find_package(package);
  return found != nullptr && !found->problems.empty();
}

bool are_all_readable(const config::Config& config) {
  return std::none_of(config.packages.begin(), config.packages.end(),
                      [](const config::Package& package) { return !package.problems.empty(); });
}

// Whether they are enabled or not.
Owners owners_of(const Identified& all) {
  Owners owners;
  for (const config::Alias& alias : all.config.aliases) {
    if (const auto id = all.ids.find(alias.name); id != all.ids.end()) {
      owners[id->second] = {nullptr, &alias};
    }
  }
  for (const config::Trigger& trigger : all.config.triggers) {
    if (const auto id = all.ids.find(trigger.alias); id != all.ids.end()) {
      owners[trigger_client_id(id->second, trigger.name)] = {&trigger,
                                                             all.config.find_alias(trigger.alias)};
    }
  }
  return owners;
}

// What a session was made with, as far as the configuration still has it.
const config::Alias* alias_of(const Identified& all, const inbox::Session& session) {
  if (!session.alias.empty()) return all.config.find_alias(session.alias);
  for (const config::Alias& alias : all.config.aliases) {
    if (session.client_id.starts_with(all.ids.at(alias.name) + ".")) return &alias;
  }
  return nullptr;
}

class Decision {
 public:
  Decision(const Identified& now, const PackageFailures& failures, const Identified* before)
      : now_(now),
        failures_(failures),
        before_(before),
        wanted_(owners_of(now)),
        earlier_(before == nullptr ? Owners() : owners_of(*before)),
        all_readable_(are_all_readable(now.config)) {}

  SessionFate of(const inbox::Session& session) const {
    using Kind = SessionFate::Kind;
    if (wanted_.count(session.client_id) > 0) return {};
    const auto owner = earlier_.find(session.client_id);
    const bool known = owner != earlier_.end();
    // What is in a package that cannot be read is not removed.
    const bool may_be_there = known ? is_unreadable(owner->second) : !all_readable_;
    if (may_be_there) return {.kind = Kind::unknown};
    const config::Alias* alias =
        known ? now_.config.find_alias(owner->second.alias->name) : alias_of(now_, session);
    // The one that it was made with, as it was until now.
    const config::Alias* old = known                ? owner->second.alias
                               : before_ != nullptr ? alias_of(*before_, session)
                                                    : nullptr;
    if (alias != nullptr && !wants(failures_, *alias)) {
      return stays(fmt::format("to be ended once alias \"{}\" runs or is deleted", alias->name));
    }
    if (old != nullptr && (known || alias == nullptr) && has(*old, session.server)) {
      return {.kind = Kind::end, .alias = old, .as_before = true};
    }
    if (alias == nullptr) {
      return stays("nothing in the configuration connects there any more: clean up on the server");
    }
    if (!has(*alias, session.server)) {
      return stays(fmt::format("alias \"{}\" now names another server: clean up on the old one",
                               alias->name));
    }
    return {.kind = Kind::end, .alias = alias};
  }

 private:
  // By what is configured now.
  bool is_unreadable(const Owner& owner) const {
    const config::Trigger* const trigger = owner.trigger;
    return in_unreadable_package(now_.config, owner.alias->package) ||
           (trigger != nullptr && in_unreadable_package(now_.config, trigger->package));
  }
  static SessionFate stays(std::string why) {
    return {.kind = SessionFate::Kind::stays, .why = std::move(why)};
  }

  const Identified& now_;
  const PackageFailures& failures_;
  const Identified* const before_;
  const Owners wanted_;
  const Owners earlier_;
  const bool all_readable_;
};

}  // namespace

std::vector<SessionFate> fates_of(const std::vector<inbox::Session>& sessions,
                                  const Identified& now, const PackageFailures& failures,
                                  const Identified* before) {
  const Decision decision(now, failures, before);
  std::vector<SessionFate> fates;
  fates.reserve(sessions.size());
  for (const inbox::Session& session : sessions) fates.push_back(decision.of(session));
  return fates;
}

}  // namespace triggerd::control
