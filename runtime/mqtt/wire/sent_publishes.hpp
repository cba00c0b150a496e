// What was published on one connection, by its packet ids: which were last published with QoS 2, so
// that a PUBACK for one of them is known to be wrong, and whose answers are the library's. Its
// owner's lock is around it.
#pragma once

#include <cstdint>
#include <set>
#include <string_view>

#include "mqtt/packet/publish_head.hpp"

namespace triggerd::mqtt::wire {

class SentPublishes {
 public:
  // A PUBLISH of QoS 1 or 2 leaves; of its bytes, those up to its packet id at least. `awaited`:
  // the library waits for an answer that may also be for somebody else.
  void note(std::string_view beginning, bool awaited = false) {
    const auto published = read_publish_head(beginning);
    if (!published) return;
    if (awaited) library_.insert(published->packet_id);
    if (published->qos == 2) {
      exactly_once_.insert(published->packet_id);
    } else {
      exactly_once_.erase(published->packet_id);
    }
  }
  // The library sends PUBREL, perhaps for a message of an earlier connection.
  void await(std::uint16_t packet_id) { library_.insert(packet_id); }
  bool was_exactly_once(std::uint16_t packet_id) const {
    return exactly_once_.count(packet_id) != 0;
  }
  // Whether the library awaits the answer to `packet_id`, and not somebody above it. Where both use
  // one packet id at the same time, the first answer is the library's. `ends`: it is the last one
  // of its handshake.
  bool is_for_library(std::uint16_t packet_id, bool ends) {
    return ends ? library_.erase(packet_id) > 0 : library_.count(packet_id) > 0;
  }

 private:
  std::set<std::uint16_t> exactly_once_;
  std::set<std::uint16_t> library_;  // awaited, and not answered
};

}  // namespace triggerd::mqtt::wire
