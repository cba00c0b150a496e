// Runtime: sessions at servers that nobody wants any more. A trigger that is removed leaves one,
// which would pile up messages for nobody: a connect with a clean session ends it. Where that
// cannot be now, the log says what is left at which server.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "control/alias_connection.hpp"
#include "control/close_all.hpp"
#include "control/runtime.hpp"
#include "mqtt/tls/material.hpp"
#include "trigger/draining.hpp"
#include "trigger/grace.hpp"

namespace triggerd::control {
namespace {

constexpr std::size_t kNamed = 5;

bool has(const config::Alias& alias, const std::string& server) {
  return server.empty() ||  // an older version has not noted it
         std::any_of(alias.servers.begin(), alias.servers.end(),
                     [&](const config::Server& one) { return config::to_string(one) == server; });
}

bool is_unreadable(const config::Config& config, const std::string& package) {
  const config::Package* found = config.find_package(package);
  return found != nullptr && !found->problems.empty();
}

std::string list_of(const std::vector<std::string>& client_ids) {
  const std::size_t named = std::min(client_ids.size(), kNamed);
  const auto end = client_ids.begin() + static_cast<std::ptrdiff_t>(named);
  std::string text = fmt::format("{}", fmt::join(client_ids.begin(), end, ", "));
  if (client_ids.size() > named) text += fmt::format(" and {} more", client_ids.size() - named);
  return text;
}

}  // namespace

struct Runtime::Owner {
  const config::Trigger* trigger;
  const config::Alias* alias;
};

// The client ids of all aliases, by their names. Who does not know one of them cannot say either
// which sessions are wanted.
Result<Runtime::ClientIds> Runtime::client_ids_of(const config::Config& config) {
  ClientIds ids;
  for (const config::Alias& alias : config.aliases) {
    auto id = client_id_of(alias);
    if (!id) return tl::make_unexpected(id.error());
    ids[alias.name] = *std::move(id);
  }
  return ids;
}

// Triggers by the client ids that they connect with, whether they are enabled or not.
std::map<std::string, Runtime::Owner> Runtime::owners_of(const config::Config& config,
                                                         const ClientIds& ids) {
  std::map<std::string, Owner> owners;
  for (const config::Trigger& trigger : config.triggers) {
    if (const auto id = ids.find(trigger.alias); id != ids.end()) {
      owners[id->second + "." + trigger.name] = {&trigger, config.find_alias(trigger.alias)};
    }
  }
  return owners;
}

// What a session was made with, as far as the configuration still has it.
const config::Alias* Runtime::alias_of(const config::Config& config, const ClientIds& ids,
                                       const inbox::Session& session) {
  if (!session.alias.empty()) return config.find_alias(session.alias);
  for (const config::Alias& alias : config.aliases) {
    if (session.client_id.starts_with(ids.at(alias.name) + ".")) return &alias;
  }
  return nullptr;
}

void Runtime::end_unwanted_sessions(const config::Config* before, const mqtt::tls::Stores& had) {
  forget_ended();
  const ConfigPtr all = config();
  const auto unknown = [&](const Error& error) {
    log_.error("inbox.error", {},
               "which sessions nobody wants any more is not known, and none is ended: {}",
               error.message);
  };
  const auto sessions = inbox_->sessions();
  if (!sessions) return unknown(sessions.error());
  const auto ids = client_ids_of(*all);
  if (!ids) return unknown(ids.error());
  const auto ids_before = before == nullptr ? ClientIds() : client_ids_of(*before);
  if (!ids_before) return unknown(ids_before.error());
  const auto wanted = owners_of(*all, *ids);
  const auto earlier =
      before == nullptr ? std::map<std::string, Owner>() : owners_of(*before, *ids_before);
  const bool all_readable =
      std::none_of(all->packages.begin(), all->packages.end(),
                   [](const config::Package& package) { return !package.problems.empty(); });
  LeftSessions left;
  for (const inbox::Session& session : *sessions) {
    if (wanted.count(session.client_id) > 0) {
      left_told_.erase(session.client_id);
      continue;
    }
    // What is in a package that cannot be read is not removed.
    const auto owner = earlier.find(session.client_id);
    const bool known = owner != earlier.end();
    if (known ? is_unreadable(*all, owner->second.trigger->package) ||
                    is_unreadable(*all, owner->second.alias->package)
              : !all_readable) {
      continue;
    }
    const config::Alias* alias =
        known ? all->find_alias(owner->second.alias->name) : alias_of(*all, *ids, session);
    // The one that it was made with, as it was until now.
    const config::Alias* old = known               ? owner->second.alias
                               : before != nullptr ? alias_of(*before, *ids_before, session)
                                                   : nullptr;
    const auto stays = [&](std::string why) {
      left[{session.server, std::move(why)}].push_back(session.client_id);
    };
    if (alias != nullptr && !wants(package_failures_, *alias)) {
      stays(fmt::format("alias \"{}\" does not run: it is ended once that does, or is deleted",
                        alias->name));
    } else if (old != nullptr && (known || alias == nullptr) && has(*old, session.server)) {
      end_session(options_of(*old, session.client_id, had), session, left);
    } else if (alias == nullptr) {
      stays("nothing in the configuration says how to end it: do that there");
    } else if (!has(*alias, session.server)) {
      stays(fmt::format("alias \"{}\" names another server by now: end it there", alias->name));
    } else {
      end_session(options_of(*alias, session.client_id, certificates_), session, left);
    }
  }
  parting_.clear();
  tell_left(left, true);
}

// `once`: what was told since the start is not told again.
void Runtime::tell_left(const LeftSessions& left, bool once) {
  for (const auto& [where, client_ids] : left) {
    const auto& [server, why] = where;
    std::vector<std::string> untold;
    for (const std::string& client_id : client_ids) {
      if (std::exchange(left_told_[client_id], why) != why || !once) untold.push_back(client_id);
    }
    if (untold.empty()) continue;
    const bool one = untold.size() == 1;
    log_.warn("session.left", {}, "{} session{} of triggers that are gone stay{} at {}: {}; {}",
              untold.size(), one ? "" : "s", one ? "s" : "",
              server.empty() ? "a server that was not noted" : server, list_of(untold), why);
  }
}

void Runtime::end_session(mqtt::ConnectionOptions options, const inbox::Session& session,
                          LeftSessions& left) {
  const std::string client_id = options.client_id;
  for (const Ending& ending : endings_) {
    if (ending.session.client_id == client_id && !*ending.done) return;
  }
  if (options.tls == nullptr && !options.servers.empty() && options.servers.front().has_tls()) {
    const auto material = parting_.find(options.alias);
    if (material == parting_.end()) {
      left[{session.server, "its certificates are gone: end it there"}].push_back(client_id);
      return;
    }
    options.tls = material->second;
  }
  options.clean_session = true;
  options.topics.clear();
  options.hold_acknowledgements = false;
  const auto self = std::make_shared<std::weak_ptr<AliasConnection>>();
  const auto ended = std::make_shared<std::atomic<bool>>(false);
  const auto closed = std::make_shared<std::atomic<bool>>(false);
  auto ending = std::make_shared<AliasConnection>([this, client_id, self, ended, closed] {
    const AliasPtr connected = self->lock();
    if (!connected || !connected->up()) return;
    log_.info("session.ended", {{"client_id", client_id}},
              "its trigger is gone: the server has dropped the session");
    *ended = true;
    (void)inbox_->forget_session(client_id);
    connected->connection()->close([closed] { *closed = true; });
  });
  *self = ending;
  if (auto made = ending->prepare(*connections_, std::move(options)); !made) {
    left[{session.server, made.error().message}].push_back(client_id);
    return;
  }
  ending->connection()->open();
  endings_.push_back({std::move(ending), session, ended, closed});
}

// Triggers come and go as long as the runtime runs.
void Runtime::forget_ended() {
  const auto over = [](const Ending& ending) { return ending.closed->load(); };
  if (std::none_of(endings_.begin(), endings_.end(), over)) return;
  pass(*supervisor_);  // which may still be with the last of them
  std::erase_if(endings_, over);
}

// Somebody wants it again.
void Runtime::stop_ending(const std::string& client_id) {
  std::vector<AliasPtr> stopped;
  for (const Ending& ending : endings_) {
    if (ending.session.client_id == client_id) stopped.push_back(ending.connection);
  }
  if (stopped.empty()) return;
  close_all(
      stopped, [](const AliasPtr& ending, auto done) { ending->connection()->close(done); },
      std::chrono::steady_clock::now() + trigger::kDisconnectGrace);
  pass(*supervisor_);
  std::erase_if(endings_, [&](const Ending& ending) {
    return std::find(stopped.begin(), stopped.end(), ending.connection) != stopped.end();
  });
}

// [main, once control has stopped]
void Runtime::tell_endings_left() {
  LeftSessions left;
  for (const Ending& ending : endings_) {
    if (*ending.done) continue;
    const config::Alias* alias = config()->find_alias(ending.session.alias);
    left[{ending.session.server,
          alias == nullptr
              ? "it could not be ended before the stop, and its alias is gone: end it there"
              : "it could not be ended before the stop: the next start tries again"}]
        .push_back(ending.session.client_id);
  }
  tell_left(left, false);
}

// A package that is going to be removed takes its certificates with it, and where it is disabled
// nobody has read them.
void Runtime::keep_material_of(std::string_view package) {
  const ConfigPtr all = config();
  for (const config::Alias& alias : all->aliases) {
    if (alias.package != package || !alias.has_tls() || certificates_.of(alias.name)) continue;
    if (auto material = mqtt::tls::load_material(*all, alias)) {
      parting_[alias.name] = std::make_shared<mqtt::tls::Current>(*std::move(material));
    }
  }
}

}  // namespace triggerd::control
