// Whatever bytes a server sends, and whatever was asked for: nothing breaks, and what is let
// through is what it has to be. For the fuzzer and for its corpus.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/text.hpp"
#include "mqtt/packet/packet_check.hpp"
#include "mqtt/packet/properties.hpp"

namespace triggerd::mqtt {

inline void expect_holds(bool holds) {
  if (!holds) std::abort();
}

// Packets one after another: each is the server's, unless it is one that we send.
inline void look_at_any_packets(std::string_view bytes) {
  PacketCheck check;
  while (bytes.size() >= 2) {
    std::string_view rest = bytes.substr(1);
    const auto first = static_cast<std::uint8_t>(bytes[0]);
    const auto length = take_variable(rest);
    if (!length) return;
    const std::string_view body = rest.substr(0, *length);
    const std::string_view whole = bytes.substr(0, bytes.size() - rest.size() + body.size());
    bytes.remove_prefix(whole.size());
    if (PacketCheck::is_request(first)) {
      check.sends(whole);
      continue;
    }
    auto wrong = check.begins(first, whole);
    if (!wrong) wrong = check.look(first, body);
    (void)first_bytes(first, body);
    if (wrong) {
      expect_holds(!wrong->what.empty() && wrong->reason >= 0x80);
      continue;
    }
    if (first >> 4 != 3) continue;
    // A message.
    expect_holds(body.size() >= 2 && (first & 6U) != 6U);
    const std::size_t size =
        std::size_t{static_cast<std::uint8_t>(body[0])} << 8U | static_cast<std::uint8_t>(body[1]);
    expect_holds(size + 2 <= body.size());
    const std::string_view topic = body.substr(2, size);
    expect_holds(is_utf8(topic) && topic.find('\0') == std::string_view::npos &&
                 topic.find_first_of("+#") == std::string_view::npos);
  }
}

}  // namespace triggerd::mqtt
