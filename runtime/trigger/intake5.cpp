// Intake on MQTT 5, QoS 2: the message comes with its PUBLISH, is accepted at once, and its key is
// kept until PUBREL, so that it is known when it comes again.
#include <charconv>

#include "trigger/intake.hpp"

namespace triggerd::trigger {
namespace {

std::function<void()> release_and_flush(mqtt::Receipt receipt) {
  return [receipt = std::move(receipt)]() mutable {
    receipt.release();
    receipt.flush();
  };
}

}  // namespace

std::string Intake::key5_of(std::uint16_t packet_id) {
  return fmt::format("{}{}", kKey5, packet_id);
}

std::optional<std::uint16_t> Intake::id_of_key5(std::string_view key) {
  if (!key.starts_with(kKey5)) return std::nullopt;
  key.remove_prefix(kKey5.size());
  std::uint16_t id = 0;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
  if (error != std::errc() || end != key.data() + key.size()) return std::nullopt;
  return id;
}

// The least that the library takes for the PUBLISH whose packet id it is to know: QoS 2, topic "x",
// no properties, no payload (MQTT 5.0, section 3.3).
std::string Intake::packet5_of(std::uint16_t packet_id) {
  std::string packet("\x34\x06\x00\x01x\x00\x00\x00", 8);
  packet[5] = static_cast<char>(packet_id >> 8);
  packet[6] = static_cast<char>(packet_id & 0xff);
  return packet;
}

void Intake::put5(std::uint16_t packet_id, mqtt::Receipt receipt) {
  DeliveryPtr first;
  std::string message_id;
  {
    MutexLock lock(mutex_);
    const auto [known, is_new] = known_.try_emplace(packet_id);
    if (is_new) return;  // take() comes next
    first = known->second.delivery.lock();
    message_id = known->second.message_id;
  }
  if (first) {
    first->attach(std::move(receipt));
  } else {
    // It is safe, or will be with what is queued already.
    writer_.stage({home_.client_id, key5_of(packet_id)}, std::move(message_id), {},
                  release_and_flush(std::move(receipt)));
  }
}

// False: it is not known.
bool Intake::forget5(std::uint16_t packet_id) {
  DeliveryPtr delivery;
  {
    MutexLock lock(mutex_);
    const auto known = known_.find(packet_id);
    if (known == known_.end()) return false;
    delivery = known->second.delivery.lock();
    known_.erase(known);
  }
  if (delivery) delivery->forget_key();
  return true;
}

// The packet id is the server's again once PUBCOMP is there: by then no key may be left that would
// take its next message for a repetition.
bool Intake::pubrel5(std::uint16_t packet_id, mqtt::Receipt receipt) {
  if (!forget5(packet_id)) return false;
  writer_.unstage({home_.client_id, key5_of(packet_id)}, release_and_flush(std::move(receipt)));
  return true;
}

void Intake::session_lost5() {
  std::vector<std::uint16_t> ids;
  {
    MutexLock lock(mutex_);
    for (const auto& [id, known] : known_) ids.push_back(id);
  }
  for (const std::uint16_t id : ids) {
    if (forget5(id)) writer_.unstage({home_.client_id, key5_of(id)}, {});
  }
}

}  // namespace triggerd::trigger
