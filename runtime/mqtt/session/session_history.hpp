// How the sessions of one connection ended, and whether that looks as if another client used the
// same client id. Belongs to the supervisor.
//
// With MQTT 3.1.1 a server that hands a client id to somebody else just ends the connection. What
// shows it is that sessions end soon after they began, several times in a row: few times where
// other connections to the same server stay, more where there are none to compare with.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "base/clock.hpp"
#include "mqtt/session/losses.hpp"

namespace triggerd::mqtt {

class SessionHistory {
 public:
  // `told_by_server`: the server says so itself, with a reason code (MQTT 5, section 3.1.4), so
  // nothing is concluded from how long sessions last.
  SessionHistory(std::string client_id, bool told_by_server, std::shared_ptr<Losses> losses)
      : client_id_(std::move(client_id)),
        told_by_server_(told_by_server),
        losses_(std::move(losses)) {}

  // A session began. `server`: which way, as all connections to it name it.
  void began(const std::string& server, Monotonic now);
  // We ended it.
  void ended_by_us();
  // The server, or the network, ended it.
  void lost(Monotonic now);
  // After lost(): whether the session had only just begun. `explained`: what the server had been
  // asked for may be why it ended, so the session is no sign of another client.
  bool count_short(bool explained, Monotonic now);
  // Nobody answered a connect. Whoever takes a client id leaves the server where it is.
  void found_no_server() { short_sessions_ = 0; }
  // Before the next connect, when the other connections to the server have noticed too: whether the
  // last loss was theirs as well. Then it was no sign of another client.
  bool was_loss_of_all();

  bool seems_taken() const;
  // In a row, each lost soon after it began.
  std::uint32_t short_sessions() const { return short_sessions_; }

 private:
  const std::string client_id_;
  const bool told_by_server_;
  const std::shared_ptr<Losses> losses_;
  std::string server_;  // of the last session
  Monotonic began_{};
  std::uint32_t short_sessions_ = 0;
  std::shared_ptr<const Losses::Burst> last_loss_;  // null: not since the last connect
};

}  // namespace triggerd::mqtt
