// Brings the subscriptions that the server has for one session in line with the filters that are
// wanted.
//
// After CONNACK it compares what the session is known to have with what is wanted. Filters that
// nobody wants any more are unsubscribed from first; then every wanted filter is subscribed to, in
// packets of as many as the server takes at once. Whoever owns it sends what next_...() gives,
// one packet at a time, and hands the answers back. Belongs to the supervisor; it sends nothing
// itself and has no clock.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "mqtt/mqtt.hpp"
#include "mqtt/session/connection_log.hpp"

namespace triggerd::mqtt {

class SubscriptionSync {
 public:
  // All of them outlive it.
  SubscriptionSync(const ConnectionOptions& options, SessionMemory& sessions,
                   const ConnectionLog& log);

  // CONNACK of `server` has come: begins anew. True: it no longer has a session that it was to
  // keep.
  bool begin(const std::string& server, bool session_present);
  // From now on every filter is to be unsubscribed from, before a clean session ends.
  void unsubscribe_from_all();
  // Those that were refused are to be subscribed to once more.
  void retry_refused();

  // ---- What to send ----

  bool has_stale() const { return !stale_.empty(); }
  // The filters of the next UNSUBSCRIBE. Wants: has_stale().
  std::vector<std::string> next_unsubscribe();
  // The topics of the next SUBSCRIBE; none once all were asked for.
  std::vector<config::Topic> next_subscribe();

  // ---- What the server answered ----

  // An UNSUBACK: its reason codes, which 3.1.1 does not have, and the server's words. False:
  // nothing had been asked.
  bool unsubscribed(const std::vector<int>& codes, const std::string& why);
  bool awaits_suback() const { return !asked_.empty(); }
  // A SUBACK. An error: the answer does not fit what was asked, so the connection is of no use.
  // Wants: awaits_suback().
  Result<> subscribed(const std::vector<int>& codes, const std::string& why);

  // ---- Where it stands ----

  // One for each wanted filter, in their order.
  const std::vector<Grant>& grants() const { return grants_; }
  // Which filters were refused, and why, for a message; empty where none was.
  std::string refusals() const;
  // What the server was asked and has not answered, for a message; empty where there is nothing.
  std::string unanswered_request() const;
  // The server ended the connection instead of answering, with this reason code (-1: none), which
  // some do that take only so many filters at once. True: from now on it is asked for fewer.
  bool ask_for_fewer(int code);
  std::size_t filters_per_packet() const { return filters_per_packet_; }

 private:
  bool compare_session(bool session_present);
  void remember_empty_session();
  std::vector<std::string> wanted_filters() const;
  std::vector<std::size_t> asked_too_many(const std::vector<std::size_t>& asked,
                                          const std::vector<int>& codes);
  void note_answer(Grant& grant, int code, const std::string& why) const;

  const ConnectionOptions& options_;
  SessionMemory& sessions_;
  const ConnectionLog& log_;
  std::string server_;  // whose CONNACK came last, for messages
  std::vector<Grant> grants_;
  bool answered_once_ = false;  // every filter, since the CONNACK
  bool leaving_ = false;        // all are to go

  std::vector<std::string> stale_;         // filters to unsubscribe from
  std::size_t unsubscribing_ = 0;          // of stale_, how many at its end are asked for
  std::vector<std::size_t> to_subscribe_;  // indices of options_.topics, not asked for yet
  std::vector<std::size_t> asked_;         // in the SUBSCRIBE under way
  std::size_t filters_per_packet_;         // that the server takes, as far as is known
};

}  // namespace triggerd::mqtt
