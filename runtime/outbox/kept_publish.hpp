// A message of QoS 1 or 2 that an outbox keeps: what is published, and how far it is.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "inbox/operations.hpp"
#include "inbox/records.hpp"
#include "mqtt/mqtt.hpp"

namespace triggerd::outbox {

class KeptPublish;

// Who is told what the writer does. The calls are those of inbox::Record.
class RowListener {
 public:
  virtual ~RowListener() = default;
  virtual bool begin_write(KeptPublish& message) = 0;
  virtual void written(KeptPublish& message, std::optional<std::int64_t> number) = 0;
  virtual void not_written(KeptPublish& message) = 0;
  virtual void after_write(KeptPublish& message) = 0;
};

// What is published is constant. The rest is guarded by the outbox's lock.
class KeptPublish final : public inbox::OutgoingEntry {
 public:
  // What of its row there is.
  enum class Row : std::uint8_t {
    queued,   // with the writer
    writing,  // in a transaction
    written,
    none  // it needs none any more, or never had one
  };
  // How far it is with the server.
  enum class Sent : std::uint8_t {
    no,
    publish,   // PUBLISH was sent
    received,  // PUBREC has come, and is being written down
    pubrel     // that is written; PUBREL may be sent
  };

  // It gets its packet id with its place.
  KeptPublish(std::shared_ptr<RowListener> outbox, std::string_view alias,
              const mqtt::PublishRequest& request, const Clock& clock);
  KeptPublish(std::shared_ptr<RowListener> outbox, std::string_view alias,
              inbox::OutgoingMessage stored);
  // A QoS 2 message of which only PUBREL is left.
  KeptPublish(std::shared_ptr<RowListener> outbox, std::uint16_t packet_id);
  // Whoever waits for it is told that the runtime ends.
  ~KeptPublish() override;
  KeptPublish(const KeptPublish&) = delete;
  KeptPublish& operator=(const KeptPublish&) = delete;

  const std::string& topic() const { return topic_; }
  int qos() const { return qos_; }
  bool retained() const { return retained_; }
  std::uint16_t packet_id() const { return packet_id_; }
  void set_packet_id(std::uint16_t packet_id) { packet_id_ = packet_id; }
  Wall kept() const { return kept_; }
  // As inbox::Outgoing counts them.
  std::size_t bytes() const { return topic_.size() + payload_.size() + properties_.size(); }
  bool has_expired(Monotonic now) const { return expires_ && *expires_ <= now; }
  // Its PUBLISH, for MQTT 5 or 3.1.1; with the expiry that is left. The views of the result are
  // valid as long as `properties`.
  mqtt::PublishPacket packet(bool v5, Monotonic now, std::string& properties) const;
  // Gives up topic, payload and properties.
  void forget_content();
  // Tells whoever waits. Once.
  void tell(const Result<>& outcome);

  // ---- Guarded by the outbox's lock ----

  Row row = Row::queued;
  std::int64_t number = 0;  // of its row, once that is written
  Sent sent = Sent::no;
  // The server has it, or nobody wants it any more. Changed under the lock, and read by the writer
  // without, which has a lock of its own.
  std::atomic<bool> finished{false};
  bool counted = true;                    // among the messages and bytes of the outbox
  bool may_be_sent = false;               // an earlier connection or process may have sent it
  bool in_memory = true;                  // the outbox has it, and not only the writer
  std::uint64_t place = 0;                // in the order of publishing
  Monotonic deadline = Monotonic::max();  // by which it is to be safe
  mqtt::PublishDone done;                 // null: nobody waits, or was told

 private:
  // inbox::OutgoingEntry
  bool wants_writing() const override { return !finished; }
  bool begin_write() override { return outbox_->begin_write(*this); }
  void written(std::optional<std::int64_t> of_row) override { outbox_->written(*this, of_row); }
  void not_written() override { outbox_->not_written(*this); }
  void flush_acknowledgement() override { outbox_->after_write(*this); }
  inbox::OutgoingView view() const override;

  const std::shared_ptr<RowListener> outbox_;
  const std::string alias_;
  std::string topic_;
  std::string payload_;
  std::string properties_;  // of MQTT 5, as they are on the wire, without the expiry
  const int qos_;
  const bool retained_ = false;
  std::uint16_t packet_id_ = 0;
  const Wall kept_{};
  std::optional<Monotonic> expires_;
};
using KeptPublishPtr = std::shared_ptr<KeptPublish>;

}  // namespace triggerd::outbox
