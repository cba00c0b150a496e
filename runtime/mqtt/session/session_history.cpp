#include "mqtt/session/session_history.hpp"

namespace triggerd::mqtt {
namespace {

// A session that ends sooner after its CONNACK counts as short.
constexpr Millis kShortSession{30'000};
// So many in a row are reported where other connections to the server stay, and where there are
// none.
constexpr std::uint32_t kShortSessionsToReport = 3;
constexpr std::uint32_t kLonelyToReport = 6;

}  // namespace

void SessionHistory::began(const std::string& server, Monotonic now) {
  server_ = server;
  began_ = now;
  losses_->connected(server_);
}

void SessionHistory::ended_by_us() {
  losses_->disconnected(server_);
}

void SessionHistory::lost(Monotonic now) {
  last_loss_ = losses_->lost(server_, client_id_, now);
}

bool SessionHistory::count_short(bool explained, Monotonic now) {
  const bool was_short = now - began_ < kShortSession;
  if (!was_short) short_sessions_ = 0;
  if (was_short && !explained) ++short_sessions_;
  return was_short;
}

bool SessionHistory::was_loss_of_all() {
  const auto loss = std::exchange(last_loss_, nullptr);
  if (!loss || !loss->of_the_server()) return false;
  short_sessions_ = 0;
  return true;
}

bool SessionHistory::seems_taken() const {
  if (told_by_server_ || !last_loss_) return false;
  return short_sessions_ >= (last_loss_->of_one() ? kShortSessionsToReport : kLonelyToReport);
}

}  // namespace triggerd::mqtt
