// A server of MQTT 3.1.1 or 5 as far as it takes publishes: its session, what it delivers, and a
// line to it on which packets can be lost.
#pragma once

#include <deque>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "mqtt/mqtt.hpp"
#include "mqtt/packet/packet_bytes.hpp"
#include "mqtt/packet/packet_type.hpp"
#include "mqtt/packet/publish_head.hpp"

namespace triggerd::outbox {

class ModelledServer final : public mqtt::PublishLine {
 public:
  struct Delivered {
    std::string payload;
    int qos;
    bool dup;
    std::uint16_t packet_id;
  };

  // ---- The line ----

  bool send(std::string_view packets, const std::vector<std::size_t>& publishes) override {
    if (!connected) return false;
    publish_starts += publishes.size();
    for (std::size_t at = 0; at < packets.size();) {
      const std::size_t size = packet_size(packets.substr(at));
      coming_.emplace_back(packets.substr(at, size));
      at += size;
    }
    return true;
  }
  std::size_t unsent() const override { return unsent_bytes; }
  void connect_again(const std::string& why) override { asked_to_connect_again.push_back(why); }

  // The terms of a new connection.
  Terms connect() {
    connected = true;
    const bool present = std::exchange(has_session, true);
    if (!present) unreleased_.clear();
    return {.session_present = present, .v5 = v5, .window = window, .limits = limits};
  }
  // What is on its way is lost.
  void cut() {
    connected = false;
    coming_.clear();
    answers_.clear();
  }
  void lose_session() { has_session = false; }

  // ---- The server ----

  std::size_t coming() const { return coming_.size(); }
  // Takes the next packet that has come. False: there is none.
  bool take_one() {
    if (coming_.empty()) return false;
    const std::string packet = std::move(coming_.front());
    coming_.pop_front();
    if (static_cast<std::uint8_t>(packet[0]) >> 4 == mqtt::packet_type::kPubrel) {
      const std::uint16_t id = mqtt::number_at(packet, 2);
      pubrels.push_back(id);
      unreleased_.erase(id);
      answers_.push_back({.kind = mqtt::PublishAnswer::Kind::pubcomp, .packet_id = id});
      return true;
    }
    const auto head = mqtt::read_publish_head(packet);
    std::string payload = packet.substr(head->size);
    if (v5) payload.erase(0, 1 + static_cast<unsigned char>(payload[0]));
    in_flight = std::max(in_flight, unreleased_.size());
    const bool repeated = head->qos == 2 && !unreleased_.insert(head->packet_id).second;
    if (!repeated) {
      delivered.push_back({std::move(payload), head->qos, head->duplicate, head->packet_id});
    }
    using Kind = mqtt::PublishAnswer::Kind;
    answers_.push_back({.kind = head->qos == 1 ? Kind::puback : Kind::pubrec,
                        .packet_id = head->packet_id,
                        .reason = refuses_with,
                        .why = {}});
    if (refuses_with >= 0x80) {
      delivered.pop_back();
      unreleased_.erase(head->packet_id);
    }
    return true;
  }
  void take_all() {
    while (take_one()) continue;
  }
  std::vector<mqtt::PublishAnswer> take_answers() { return std::exchange(answers_, {}); }

  std::size_t unsent_bytes = 0;
  bool v5 = false;
  std::size_t window = 20;
  mqtt::PublishLimits limits;
  int refuses_with = 0;
  bool connected = false;
  bool has_session = false;
  std::vector<Delivered> delivered;
  std::vector<std::uint16_t> pubrels;
  std::vector<std::string> asked_to_connect_again;
  std::size_t in_flight = 0;  // the most QoS 2 messages at once
  std::size_t publish_starts = 0;

 private:
  static std::size_t packet_size(std::string_view bytes) {
    std::size_t size = 0;
    std::size_t at = 1;
    for (int shift = 0;; shift += 7) {
      const auto one = static_cast<std::uint8_t>(bytes[at++]);
      size |= static_cast<std::size_t>(one & 0x7f) << shift;
      if ((one & 0x80) == 0) return at + size;
    }
  }

  std::deque<std::string> coming_;
  std::vector<mqtt::PublishAnswer> answers_;
  std::set<std::uint16_t> unreleased_;  // QoS 2
};

}  // namespace triggerd::outbox
