// What the discarding subscriber does with what it reads.
#pragma once

#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "common/contender.hpp"
#include "common/mqtt.hpp"
#include "discard/stream.hpp"

namespace bench {

// Finds packets in what is read, and answers them.
class Reader {
 public:
  Reader(Stream& stream, Arrivals& arrivals) : stream_(stream), arrivals_(arrivals) {}

  // Until the connection ends.
  void run() {
    std::vector<char> buffer(kReadSize);
    std::size_t kept = 0;
    for (;;) {
      const ssize_t got = stream_.read(buffer.data() + kept, buffer.size() - kept);
      if (got <= 0) return;
      std::string_view bytes(buffer.data(), kept + static_cast<std::size_t>(got));
      while (next(bytes)) {
      }
      kept = bytes.size();
      if (kept > 0) std::memmove(buffer.data(), bytes.data(), kept);
      if (!out_.empty() && !stream_.write(out_)) return;
      out_.clear();
    }
  }

 private:
  static constexpr std::size_t kReadSize = 256 << 10;

  // Handles the packet at the front as soon as all of it but a payload is there; false where more
  // is needed.
  bool next(std::string_view& bytes) {
    if (skip_ > 0) {
      const std::size_t some = skip_ < bytes.size() ? skip_ : bytes.size();
      bytes.remove_prefix(some);
      skip_ -= some;
      if (skip_ > 0) return false;
    }
    mqtt::Head head;
    const auto found = mqtt::read_head(bytes, head);
    if (found == mqtt::Found::broken) give_up("what the server sends is not MQTT");
    if (found == mqtt::Found::part) return false;
    const std::string_view body = bytes.substr(head.size);
    if (head.type() == mqtt::Type::publish) {
      if (body.size() < 2) return false;
      const std::size_t id_at = 2U + mqtt::number(body);
      const std::size_t needed = id_at + (head.qos() > 0 ? 2 : 0);
      if (body.size() < needed) return false;
      if (head.qos() > 0) {
        mqtt::append_ack(out_, head.qos() == 1 ? mqtt::Type::puback : mqtt::Type::pubrec,
                         mqtt::number(body.substr(id_at)));
      }
      arrivals_.add(body.substr(needed, head.length - needed));
    } else if (head.type() == mqtt::Type::pubrel) {
      if (body.size() < 2) return false;
      mqtt::append_ack(out_, mqtt::Type::pubcomp, mqtt::number(body));
    }
    bytes.remove_prefix(head.size);
    skip_ = head.length;
    return true;
  }

  Stream& stream_;
  Arrivals& arrivals_;
  std::size_t skip_ = 0;  // of a packet that was handled
  std::string out_;
};

}  // namespace bench
