// What mqtt/ wants to know of earlier sessions, from the inbox.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "inbox/sessions.hpp"
#include "mqtt/session/connection.hpp"

namespace triggerd::control {

// An inbox that fails costs knowledge, not messages: that is logged, and the connection goes on.
// [supervisor]
class InboxSessions final : public mqtt::SessionMemory {
 public:
  // Both outlive it.
  InboxSessions(inbox::Sessions& stored, Log& log) : stored_(stored), log_(log) {}

  std::optional<std::vector<std::string>> filters(const std::string& client_id) override;
  bool is_known(const mqtt::ConnectionOptions& options) override;
  void remember(const std::string& client_id, const std::vector<std::string>& filters) override;
  void forget(const std::string& client_id) override;
  void found_at(const mqtt::ConnectionOptions& options, const std::string& server) override;

 private:
  void report(const std::string& client_id, const Error& error);

  inbox::Sessions& stored_;
  Log& log_;
  std::map<std::string, std::string, std::less<>> placed_;  // servers by client id
};

}  // namespace triggerd::control
