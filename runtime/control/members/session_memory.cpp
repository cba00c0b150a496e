#include "control/members/session_memory.hpp"

#include <algorithm>

namespace triggerd::control {

std::optional<std::vector<std::string>> InboxSessions::filters(const std::string& client_id) {
  auto kept = stored_.filters(client_id);
  if (!kept) {
    report(client_id, kept.error());
    return std::nullopt;
  }
  return std::move(*kept);
}

bool InboxSessions::is_known(const mqtt::ConnectionOptions& options) {
  const auto all = stored_.all();
  if (!all) {
    report(options.client_id, all.error());
    return true;
  }
  return std::any_of(all->begin(), all->end(), [&](const inbox::Session& session) {
    return session.client_id == options.client_id &&
           (session.alias.empty() || session.alias == options.alias);
  });
}

void InboxSessions::remember(const std::string& client_id,
                             const std::vector<std::string>& filters) {
  if (auto done = stored_.remember(client_id, filters); !done) {
    report(client_id, done.error());
  }
}

void InboxSessions::forget(const std::string& client_id) {
  placed_.erase(client_id);
  if (auto done = stored_.forget(client_id); !done) report(client_id, done.error());
}

void InboxSessions::found_at(const mqtt::ConnectionOptions& options, const std::string& server) {
  if (const auto known = placed_.find(options.client_id);
      known != placed_.end() && known->second == server) {
    return;
  }
  const auto before = stored_.place({options.client_id, options.alias, server});
  if (!before) {
    report(options.client_id, before.error());
    return;
  }
  placed_[options.client_id] = server;
  if (!*before || (*before)->server.empty() || (*before)->server == server) return;
  for (const config::Server& other : options.servers) {
    if (config::to_string(other) == (*before)->server) return;  // one session, on all of them
  }
  log_.warn(
      "session.left", {{"alias", options.alias}, {"client_id", options.client_id}},
      "the session is at {} now; if {} is a different server, it still has a session for this "
      "client id and keeps messages for it: clean up there",
      server, (*before)->server);
}

void InboxSessions::report(const std::string& client_id, const Error& error) {
  log_.error("inbox.error", {{"client_id", client_id}}, "{}", error.message);
}

}  // namespace triggerd::control
