// Numbered messages: what is published, and what the service does with each. Known to the test and
// to its plugin alike, and decided by the number alone, since a killed process forgets.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace triggerd::soak {

struct Numbered {
  unsigned qos = 1;     // 1 or 2
  unsigned stream = 0;  // each has a topic of its own
  unsigned number = 0;  // from 0 in each stream
};

inline std::uint64_t mix(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15U;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
  return value ^ (value >> 31);
}

inline std::uint64_t hash_of(const Numbered& message) {
  return mix((std::uint64_t{message.qos} << 60) ^ (std::uint64_t{message.stream} << 40) ^
             message.number);
}

inline std::string topic_of(const Numbered& message) {
  return "soak/" + std::to_string(message.qos) + "/" + std::to_string(message.stream);
}

// "STREAM NUMBER FILLER", of 16 to 400 bytes more than the two.
inline std::string payload_of(const Numbered& message) {
  std::uint64_t state = hash_of(message);
  std::string payload = std::to_string(message.stream) + " " + std::to_string(message.number) + " ";
  for (std::uint64_t left = 16 + state % 385; left > 0; --left) {
    state = mix(state);
    payload += static_cast<char>(state & 0xff);
  }
  return payload;
}

// Which message this is; nullopt where the bytes are not exactly those of one.
inline std::optional<Numbered> read_message(std::string_view topic, std::string_view payload) {
  Numbered message;
  const char* const end = payload.data() + payload.size();
  const auto stream = std::from_chars(payload.data(), end, message.stream);
  if (stream.ec != std::errc() || stream.ptr == end) return std::nullopt;
  if (std::from_chars(stream.ptr + 1, end, message.number).ec != std::errc()) return std::nullopt;
  for (message.qos = 1; message.qos <= 2; ++message.qos) {
    if (topic == topic_of(message) && payload == payload_of(message)) return message;
  }
  return std::nullopt;
}

enum class Deed { ok, slow, retry, exception, reject };

// In a hundred: 3 throw and 3 say retry, on the first one to three attempts, 1 is slow, 1 is
// rejected. The others are ok at once, as is every later attempt.
inline Deed deed_for(const Numbered& message, std::uint32_t attempt) {
  const std::uint64_t dice = mix(hash_of(message) + 1);
  const std::uint64_t share = dice % 100;
  const std::uint64_t times = 1 + dice / 100 % 3;
  if (share < 3) return attempt <= times ? Deed::exception : Deed::ok;
  if (share < 6) return attempt <= times ? Deed::retry : Deed::ok;
  if (share < 7) return attempt == 1 ? Deed::slow : Deed::ok;
  if (share < 8) return Deed::reject;
  return Deed::ok;
}

// How long a call takes. Long enough that at any moment some message is in somebody's hands, which
// is when a kill matters; those of QoS 2 are fewer, and take longer for that.
inline std::uint64_t milliseconds_for(const Numbered& message, Deed deed) {
  const std::uint64_t dice = mix(hash_of(message) + 2);
  if (deed == Deed::slow) return 50 + dice % 200;
  return dice % (message.qos == 2 ? 100 : 16);
}

inline bool is_to_be_rejected(const Numbered& message) {
  return deed_for(message, 1) == Deed::reject;
}

inline const char* name_of(Deed deed) {
  switch (deed) {
    case Deed::ok:
    case Deed::slow:
      return "ok";
    case Deed::retry:
      return "retry";
    case Deed::exception:
      return "exception";
    case Deed::reject:
      return "reject";
  }
  return "?";
}

}  // namespace triggerd::soak
