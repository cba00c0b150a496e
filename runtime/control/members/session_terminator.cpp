#include "control/members/session_terminator.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/task_guard.hpp"
#include "control/members/close_all.hpp"
#include "control/members/member_factory.hpp"
#include "control/members/session_choice.hpp"
#include "mqtt/tls/material.hpp"
#include "trigger/grace.hpp"

namespace triggerd::control {
namespace {

constexpr std::size_t kNamed = 5;

std::string list_of(const std::vector<std::string>& client_ids) {
  const std::size_t named = std::min(client_ids.size(), kNamed);
  const auto end = client_ids.begin() + static_cast<std::ptrdiff_t>(named);
  std::string text = fmt::format("{}", fmt::join(client_ids.begin(), end, ", "));
  if (client_ids.size() > named) text += fmt::format(" and {} more", client_ids.size() - named);
  return text;
}

}  // namespace

void SessionTerminator::end_unwanted(const config::Config* before, const mqtt::tls::Stores& had) {
  forget_ended();
  const auto running = needs_.registry.now();
  // Whoever does not know one of the client ids cannot say either which sessions are wanted.
  const auto unknown = [&](const Error& error) {
    needs_.log.error("inbox.error", {},
                     "cannot tell which sessions are no longer wanted, so none is ended: {}",
                     error.message);
  };
  const auto sessions = needs_.stored.all();
  if (!sessions) return unknown(sessions.error());
  const auto ids = needs_.client_ids.of_all(*running->config);
  if (!ids) return unknown(ids.error());
  const auto ids_before =
      before == nullptr ? ClientIds::ByAlias() : needs_.client_ids.of_all(*before);
  if (!ids_before) return unknown(ids_before.error());
  const Identified now{*running->config, *ids};
  std::optional<Identified> earlier;
  if (before != nullptr) earlier.emplace(Identified{*before, *ids_before});

  Left left;
  const auto fates = fates_of(*sessions, now, running->failures, earlier ? &*earlier : nullptr);
  for (std::size_t i = 0; i < fates.size(); ++i) {
    const inbox::Session& session = (*sessions)[i];
    const SessionFate& fate = fates[i];
    switch (fate.kind) {
      case SessionFate::Kind::wanted:
        reported_.erase(session.client_id);
        break;
      case SessionFate::Kind::unknown:
        break;
      case SessionFate::Kind::stays:
        left[{session.server, fate.why}].push_back(session.client_id);
        break;
      case SessionFate::Kind::end:
        end(connection_options(*fate.alias, session.client_id,
                               fate.as_before ? had : needs_.certificates.stores()),
            session, left);
        break;
    }
  }
  parting_.clear();
  report_left(left, true);
}

// `once`: what was logged since the start is not logged again.
void SessionTerminator::report_left(const Left& left, bool once) {
  for (const auto& [where, client_ids] : left) {
    const auto& [server, why] = where;
    std::vector<std::string> news;
    for (const std::string& client_id : client_ids) {
      if (std::exchange(reported_[client_id], why) != why || !once) news.push_back(client_id);
    }
    if (news.empty()) continue;
    const bool one = news.size() == 1;
    needs_.log.warn("session.left", {}, "{} session{} of removed triggers remain{} at {}: {}; {}",
                    news.size(), one ? "" : "s", one ? "s" : "",
                    server.empty() ? "an unknown server" : server, list_of(news), why);
  }
}

void SessionTerminator::end(mqtt::ConnectionOptions options, const inbox::Session& session,
                            Left& left) {
  const std::string client_id = options.client_id;
  for (const Ending& ending : endings_) {
    if (ending.session.client_id == client_id && !*ending.done) return;
  }
  if (options.tls == nullptr && !options.servers.empty() && options.servers.front().has_tls()) {
    const auto material = parting_.find(options.alias);
    if (material == parting_.end()) {
      left[{session.server, "the certificates for it are gone: clean up on the server"}].push_back(
          client_id);
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
  auto ending =
      std::make_shared<AliasConnection>(needs_.clock, [this, client_id, self, ended, closed] {
        const AliasPtr connected = self->lock();
        if (!connected || !connected->up()) return;
        needs_.log.info("session.ended", {{"client_id", client_id}},
                        "its trigger was removed, and the server has deleted the session");
        *ended = true;
        (void)needs_.stored.forget(client_id);
        connected->connection()->close([closed] { *closed = true; });
      });
  *self = ending;
  if (auto made = ending->prepare(needs_.connections, std::move(options)); !made) {
    left[{session.server, made.error().message}].push_back(client_id);
    return;
  }
  ending->connection()->open();
  endings_.push_back({std::move(ending), session, ended, closed});
}

// Triggers come and go as long as the runtime runs.
void SessionTerminator::forget_ended() {
  const auto over = [](const Ending& ending) { return ending.closed->load(); };
  if (std::none_of(endings_.begin(), endings_.end(), over)) return;
  pass(needs_.supervisor);  // which may still be with the last of them
  std::erase_if(endings_, over);
}

void SessionTerminator::keep(const std::string& client_id) {
  std::vector<AliasPtr> stopped;
  for (const Ending& ending : endings_) {
    if (ending.session.client_id == client_id) stopped.push_back(ending.connection);
  }
  if (stopped.empty()) return;
  close_all(
      stopped, [](const AliasPtr& ending, auto done) { ending->connection()->close(done); },
      needs_.clock.now() + trigger::kDisconnectGrace);
  pass(needs_.supervisor);
  std::erase_if(endings_, [&](const Ending& ending) {
    return std::find(stopped.begin(), stopped.end(), ending.connection) != stopped.end();
  });
}

void SessionTerminator::report_unfinished() {
  const ConfigPtr all = needs_.registry.config();
  Left left;
  for (const Ending& ending : endings_) {
    if (*ending.done) continue;
    const config::Alias* alias = all->find_alias(ending.session.alias);
    left[{ending.session.server,
          alias == nullptr
              ? "the runtime is stopping, and the alias is gone: clean up on the server"
              : "the runtime is stopping; the next start tries again"}]
        .push_back(ending.session.client_id);
  }
  report_left(left, false);
}

void SessionTerminator::keep_certificates_of(std::string_view package) {
  const ConfigPtr all = needs_.registry.config();
  for (const config::Alias& alias : all->aliases) {
    if (alias.package != package || !alias.has_tls() ||
        needs_.certificates.stores().of(alias.name)) {
      continue;
    }
    if (auto material = mqtt::tls::load_material(*all, alias)) {
      parting_[alias.name] = std::make_shared<mqtt::tls::Current>(*std::move(material));
    }
  }
}

}  // namespace triggerd::control
