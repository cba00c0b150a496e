#include "mqtt/wire/ack_queue.hpp"

namespace triggerd::mqtt::wire {
namespace {

// The first byte of each kind, by AckKind.
constexpr std::array<char, 3> kFirst = {0x40, 0x50, 0x70};

}  // namespace

AckQueue::Ticket AckQueue::hold(Ack ack, bool released) {
  Queue& q = queue(ack.kind);
  q.entries.push_back({ack.packet_id, released});
  return q.first + q.entries.size() - 1;
}

void AckQueue::release(AckKind kind, Ticket ticket) {
  Queue& q = queue(kind);
  if (ticket < q.first) return;
  const auto index = static_cast<std::size_t>(ticket - q.first);
  if (index < q.entries.size()) q.entries[index].released = true;
}

std::size_t AckQueue::take(std::string& out) {
  std::size_t taken = 0;
  for (std::size_t kind = 0; kind < queues_.size(); ++kind) {
    Queue& q = queues_[kind];
    while (!q.entries.empty() && q.entries.front().released) {
      const std::uint16_t id = q.entries.front().packet_id;
      out += {kFirst[kind], 2, static_cast<char>(id >> 8), static_cast<char>(id & 0xff)};
      q.entries.pop_front();
      ++q.first;
      ++taken;
      if (static_cast<AckKind>(kind) == AckKind::pubcomp && has_begun(id)) {
        exactly_once_[id] = false;
        --exactly_once_count_;
      }
    }
  }
  return taken;
}

void AckQueue::begin_exactly_once(std::uint16_t packet_id) {
  if (exactly_once_.empty()) exactly_once_.resize(65'536);
  if (has_begun(packet_id)) return;
  exactly_once_[packet_id] = true;
  ++exactly_once_count_;
}

std::size_t AckQueue::unconfirmed() const {
  return queues_[static_cast<std::size_t>(AckKind::puback)].entries.size() + exactly_once_count_;
}

std::size_t AckQueue::size() const {
  std::size_t total = 0;
  for (const Queue& q : queues_) total += q.entries.size();
  return total;
}

}  // namespace triggerd::mqtt::wire
