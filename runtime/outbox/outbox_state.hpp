// All that an outbox knows about its messages and its connection, and decides about them: a state
// machine without threads. What is to be done about a decision is returned as Actions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/log_level.hpp"
#include "config/outbox.hpp"
#include "inbox/outgoing.hpp"
#include "mqtt/mqtt.hpp"
#include "outbox/backlog.hpp"
#include "outbox/in_flight.hpp"
#include "outbox/kept_publish.hpp"

namespace triggerd::outbox {

struct OutboxStats {
  std::uint64_t messages = 0;  // that are kept, those in flight included
  std::uint64_t bytes = 0;     // of their topics, payloads and properties
  std::uint64_t max_bytes = 0;
  std::size_t in_flight = 0;   // sent, and not confirmed
  std::optional<Wall> oldest;  // when the oldest of them was published
  // Since the start.
  std::uint64_t sent = 0;     // the server has them
  std::uint64_t refused = 0;  // the server does not take them
  std::uint64_t dropped = 0;  // to make room, or not taken for lack of it
  std::uint64_t expired = 0;
  std::uint64_t cleared = 0;
};

// What is to be done once the lock is given back.
struct Actions {
  std::string packets;                                          // to be sent
  std::vector<std::size_t> publishes;                           // where PUBLISH begins in them
  std::vector<std::int64_t> remove;                             // rows
  std::vector<std::pair<std::int64_t, std::uint16_t>> release;  // rows, by their packet ids
  std::vector<std::uint16_t> completed;
  std::vector<std::pair<mqtt::PublishDone, Result<>>> told;
  struct Line {
    LogLevel level;
    std::string_view event;
    std::string text;
  };
  std::vector<Line> lines;
};

// Guarded by its outbox's lock.
class OutboxState {
 public:
  // Outgoing messages have these packet ids; see outbox.hpp.
  static constexpr std::uint16_t kFirstId = 0x8000;
  // Bytes in flight, unless it is a single message.
  static constexpr std::size_t kBytesInFlight = 4 << 20;
  // At most so many QoS 2 messages of an earlier process may have been sent: no more are in flight.
  static constexpr std::size_t kMostSent = 1'000;

  // The clock outlives it.
  OutboxState(std::string alias, const config::Outbox& options, const Clock& clock);
  // At the start: what the file has.
  void begin(const inbox::Outgoing::Total& total);
  void change(const config::Outbox& options) { options_ = options; }

  // ---- Publishing ----

  // Gives it a place and a packet id, and takes `done`. An error says why it is not kept; then
  // `done` is left.
  tl::expected<void, mqtt::PublishError> accept(const KeptPublishPtr& message,
                                                mqtt::PublishDone& done, Millis wait_limit,
                                                Actions& actions);

  // ---- The writer, as inbox::Record has it ----

  static bool begin_write(KeptPublish& message);
  void written(KeptPublish& message, std::optional<std::int64_t> number);
  static void not_written(KeptPublish& message);
  void after_write(KeptPublish& message, Actions& actions);
  // The packet id of a QoS 2 message that the server has is kept.
  void received_is_written(std::uint16_t packet_id, Actions& actions);

  // ---- The connection ----

  // `awaiting` are packet ids of earlier processes that wait for PUBCOMP in this session.
  void on_line(const mqtt::PublishLine::Terms& terms, const std::vector<KeptPublishPtr>& awaiting,
               Actions& actions);
  void off_line() { terms_.reset(); }
  void answered(const mqtt::PublishAnswer& answer, Actions& actions);
  // The next message leaves, or is given up. False: none may leave now.
  bool send_next(Actions& actions);
  // Nothing new is sent until on_line().
  void rest() { resting_ = true; }
  bool is_resting() const { return resting_; }
  // The server has confirmed nothing for too long. Bytes that leave are progress, too.
  bool is_stalled(Monotonic now) const;
  void note_progress(Monotonic now) { progress_ = now; }

  // ---- What is in the file alone ----

  const Backlog& backlog() const { return backlog_; }
  // `messages` were removed there, with `bytes`.
  void forget_in_file(std::uint64_t messages, std::uint64_t bytes);
  void count_expired(std::uint64_t messages) { counts_.expired += messages; }
  void count_cleared(std::uint64_t messages) { counts_.cleared += messages; }
  void add_page(const std::vector<KeptPublishPtr>& page, Actions& actions);
  // Up to the last that is written: they are removed there.
  void skip_written() { backlog_.skip_written(); }

  // ---- Giving up ----

  // Those that nobody can make safe in time, and those that have expired.
  void look(Monotonic now, Actions& actions);
  // All that are in memory and were not sent. Returns how many.
  std::uint64_t clear(Actions& actions);
  // Nobody goes on with them: whoever waits is told so.
  void end(Actions& actions);

  bool is_on_line() const { return terms_.has_value(); }
  bool is_idle() const { return messages_ == 0 && in_flight_.empty(); }
  bool nothing_in_flight() const { return in_flight_.empty(); }
  OutboxStats stats() const;

 private:
  bool may_send() const;
  std::optional<std::string> why_refused(const KeptPublish& message,
                                         const mqtt::PublishPacket& packet) const;
  void send(const KeptPublishPtr& message, Actions& actions);
  void finish(KeptPublish& message, Actions& actions, const Result<>& outcome);
  void give_up(const KeptPublishPtr& message, Actions& actions, const std::string& why);
  void tell(KeptPublish& message, Actions& actions, const Result<>& outcome);
  bool make_room(std::size_t bytes, Actions& actions);
  bool is_over() const { return bytes_ > options_.max_size; }
  void drop_oldest(Actions& actions);
  void note_full(Actions& actions);
  void forget(KeptPublish& message);
  void forget(std::uint64_t messages, std::uint64_t bytes);
  void note_drained(Actions& actions);

  const std::string alias_;
  config::Outbox options_;
  const Clock& clock_;
  Backlog backlog_;
  InFlight in_flight_;
  std::map<std::uint64_t, KeptPublishPtr> unsafe_;  // somebody waits; by place
  std::optional<mqtt::PublishLine::Terms> terms_;   // of the connection; nullopt: there is none
  OutboxStats counts_;
  std::uint64_t messages_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t last_place_ = 0;
  std::uint16_t next_id_ = kFirstId;
  std::int64_t last_at_start_ = 0;  // the highest number that an earlier process has left
  std::size_t sent_at_start_ = 0;   // of its QoS 2 messages, those that may have been sent
  bool resting_ = false;
  bool full_ = false;                   // it was said
  bool announced_ = false;              // that kept messages are being sent
  std::optional<Wall> oldest_in_file_;  // at the start
  Monotonic progress_{};  // when the server confirmed something last, or there was nothing
};

}  // namespace triggerd::outbox
