// outbox/: what is published while its server is away is kept in the inbox's file, and sent in
// order when it is back (`[aliases.NAME] outbox`).
//
//   outbox.hpp        one alias's outbox: its threads, its lock, the file
//   outboxes.hpp      all of a runtime
//   outbox_state.hpp  what it knows and decides
//   kept_publish.hpp  a message that it keeps, and how far that is
//   backlog.hpp       those that were not sent yet, in memory and in the file
//   in_flight.hpp     those that were sent and are not confirmed
//
// All messages of QoS 1 and 2 of such an alias go this way, whether its server is there or not, so
// that they stay in order and keep their packet ids:
//
//   publish()   it gets a packet id and a place, and is queued with the inbox's writer. Whoever
//               publishes is told that it is safe: when it is written, or confirmed before that.
//   QoS 1       is sent at once, where its turn has come. What the server confirms before it is
//               written needs no row.
//   QoS 2       is written first, and then sent. After PUBREC its row is replaced by its packet id
//               (table `awaiting_pubcomp`), which is written before PUBREL leaves: from then on the
//               message is never sent again. PUBCOMP ends it.
//   a new connection  where the server has the session, sends what was not confirmed again, in
//               order, with the packet ids that it had. A new process does the same with what it
//               finds in the file: that may have been sent, so it has DUP.
//
// Packet ids are 0x8000 and above. The library counts its own up from 1, and publishes little on
// such a connection: on-connect payloads, and QoS 0.
//
// Threads: publish() any; the connection, and what is sent, belong to the supervisor; the writer
// tells on its own thread. One lock guards the state. While it is held, only the writer's own lock
// is taken; the inbox's may be held already, and is never taken. With the writer's lock held,
// nothing of this is locked.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/event_loop.hpp"
#include "base/log.hpp"
#include "base/mutex.hpp"
#include "config/outbox.hpp"
#include "inbox/outgoing.hpp"
#include "inbox/writer.hpp"
#include "mqtt/mqtt.hpp"
#include "outbox/kept_publish.hpp"
#include "outbox/outbox_state.hpp"

namespace triggerd::outbox {

// All outlive it.
struct OutboxNeeds {
  inbox::Outgoing& stored;
  inbox::Writer& writer;
  std::shared_ptr<EventLoop> supervisor;
  Log& log;
};

class Outbox final : public RowListener, public std::enable_shared_from_this<Outbox> {
 public:
  // With what the file has for `alias`; `client_id` names its session. [control]
  static Result<std::shared_ptr<Outbox>> open(const OutboxNeeds& needs, std::string alias,
                                              std::string client_id, const config::Outbox& options);
  // From now on these hold. What is kept stays, whatever room there is. Between two connections.
  // [control]
  void change(std::string client_id, const config::Outbox& options);

  // As mqtt::Connection::publish(), for QoS 1 and 2: `done` is told once the message is safe. An
  // error says that there is no room: full, or not_connected where that is why. [any]
  tl::expected<void, mqtt::PublishError> publish(const mqtt::PublishRequest& request,
                                                 mqtt::PublishDone done);
  // Removes what is kept and was not sent; returns how many messages that is. It may take as long
  // as the file is large. An error: the inbox cannot be written, or not by `deadline`. [any but the
  // supervisor]
  Result<std::uint64_t> clear(Monotonic deadline);
  // Sends nothing new until the next connection, and waits until what was sent is confirmed. False:
  // it is not by `deadline`. [any but the supervisor]
  bool rest(Monotonic deadline);
  OutboxStats stats() const;
  // Nothing is sent any more, and whoever waits is told so. Then it can be destroyed.
  void end();

  // ---- Its connection [supervisor] ----

  void on_line(mqtt::PublishLine& line, const mqtt::PublishLine::Terms& terms);
  void on_answers(const std::vector<mqtt::PublishAnswer>& answers);
  void off_line(const mqtt::PublishLine& line);

 private:
  Outbox(const OutboxNeeds& needs, std::string alias, const config::Outbox& options);

  // RowListener
  bool begin_write(KeptPublish& message) override;
  void written(KeptPublish& message, std::optional<std::int64_t> number) override;
  void not_written(KeptPublish& message) override;
  void after_write(KeptPublish& message) override;
  void received_is_written(std::uint16_t packet_id);

  // The supervisor.
  void post(void (Outbox::*task)());
  void go_on_later();
  void go_on();
  void read_more();
  Result<> read_page();
  struct Cleared {
    std::uint64_t messages = 0;  // of those in memory
    std::int64_t after = 0;      // in the file, those above this number
    std::int64_t up_to = 0;      // up to this one
  };
  Cleared clear_here();
  void begin_line();
  void look_later();
  void look();
  void expire_in_file();

  Result<std::vector<KeptPublishPtr>> awaiting_pubcomp();
  void carry_out(Actions& actions);
  class ReleaseWaiter;

  const OutboxNeeds needs_;
  const std::string alias_;
  const Clock& clock_;

  mutable Mutex mutex_;
  OutboxState state_ TRIGGERD_GUARDED_BY(mutex_);
  std::string client_id_ TRIGGERD_GUARDED_BY(mutex_);
  std::vector<std::uint16_t> released_ TRIGGERD_GUARDED_BY(mutex_);  // written; PUBREL is due
  CondVar rested_;
  std::atomic<bool> going_on_{false};  // go_on() will run
  std::atomic<bool> looking_{false};   // look() will run

  // The supervisor's.
  mqtt::PublishLine* line_ = nullptr;                      // null: there is no connection
  std::string session_;                                    // whose packet ids are known
  std::optional<mqtt::PublishLine::Terms> waiting_terms_;  // until they are
};

}  // namespace triggerd::outbox
