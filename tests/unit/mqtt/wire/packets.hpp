// A stream of packets and acknowledgements whose reader sees a split packet at once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace triggerd::mqtt::wire::test {

// 0x30, the length of the body in three bytes, and the body: no acknowledgement, whatever follows.
inline std::string packet_of(std::size_t body) {
  std::string packet = {0x30, static_cast<char>(body >> 16), static_cast<char>(body >> 8),
                        static_cast<char>(body)};
  packet.append(body, 'p');
  return packet;
}

// Mostly short bodies, and now and then one longer than a socket with little room takes.
class BodySizes {
 public:
  std::size_t next() {
    state_ = state_ * 1664525 + 1013904223;
    return (state_ >> 8) % (++count_ % 10 == 0 ? 60'000 : 200);
  }

 private:
  std::uint32_t state_ = 1;
  int count_ = 0;
};

// Takes whole packets off the front of `stream`; the packet ids of PUBACKs, in order, go to `ids`.
// False: something was written into the middle of something else.
inline bool only_whole_packets(std::string& stream, std::vector<int>& ids) {
  std::size_t at = 0;
  const auto byte = [&stream](std::size_t i) { return static_cast<unsigned char>(stream[i]); };
  while (stream.size() - at >= 4) {
    if (byte(at) == 0x40) {
      if (byte(at + 1) != 2) return false;
      ids.push_back(byte(at + 2) << 8 | byte(at + 3));
      at += 4;
      continue;
    }
    if (byte(at) != 0x30) return false;
    const std::size_t body = static_cast<std::size_t>(byte(at + 1)) << 16 |
                             static_cast<std::size_t>(byte(at + 2)) << 8 | byte(at + 3);
    if (stream.size() - at - 4 < body) break;
    if (stream.find_first_not_of('p', at + 4) < at + 4 + body) return false;
    at += 4 + body;
  }
  stream.erase(0, at);
  return true;
}

}  // namespace triggerd::mqtt::wire::test
