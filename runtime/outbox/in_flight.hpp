// The messages of one outbox that the server was sent and has not confirmed, by their packet ids
// and in the order in which they were sent. The outbox's lock guards it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

#include "outbox/kept_publish.hpp"

namespace triggerd::outbox {

class InFlight {
 public:
  void add(KeptPublishPtr message);
  // Null: there is none.
  KeptPublishPtr find(std::uint16_t packet_id) const;
  // Takes it out. Null: there is none.
  KeptPublishPtr take(std::uint16_t packet_id);
  // Takes all of them out, in their order.
  std::vector<KeptPublishPtr> take_all();
  // In their order.
  std::vector<KeptPublishPtr> all() const;

  bool contains(std::uint16_t packet_id) const { return order_of_.count(packet_id) > 0; }
  std::size_t size() const { return messages_.size(); }
  bool empty() const { return messages_.empty(); }
  std::size_t bytes() const { return bytes_; }

 private:
  std::map<std::uint64_t, KeptPublishPtr> messages_;
  std::unordered_map<std::uint16_t, std::uint64_t> order_of_;
  std::uint64_t last_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace triggerd::outbox
