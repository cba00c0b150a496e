// Which packet ids were last published with QoS 2 on one connection, so that a PUBACK for one of
// them is known to be wrong. Its owner's lock is around it.
#pragma once

#include <cstdint>
#include <set>
#include <string_view>

#include "mqtt/packet/publish_head.hpp"

namespace triggerd::mqtt::wire {

class SentPublishes {
 public:
  // A PUBLISH of QoS 1 or 2 leaves; of its bytes, those up to its packet id at least.
  void note(std::string_view beginning) {
    const auto published = read_publish_head(beginning);
    if (!published) return;
    if (published->qos == 2) {
      exactly_once_.insert(published->packet_id);
    } else {
      exactly_once_.erase(published->packet_id);
    }
  }
  bool was_exactly_once(std::uint16_t packet_id) const {
    return exactly_once_.count(packet_id) != 0;
  }

 private:
  std::set<std::uint16_t> exactly_once_;
};

}  // namespace triggerd::mqtt::wire
