// A WebSocket whose random bytes are known, and what becomes of whatever bytes a server sends: it
// is the same in every cut, and never more than came. For its tests, the fuzzer and its corpus.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mqtt/wire/websocket.hpp"

namespace triggerd::mqtt::wire::test {

// The key and its answer that RFC 6455 has for an example.
inline constexpr std::string_view kKey = "dGhlIHNhbXBsZSBub25jZQ==";
inline constexpr std::string_view kAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
// The shortest answer that is right.
inline constexpr std::string_view kAccepted =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

// What makes that key, and then bytes that are never the same four.
class KnownRandom {
 public:
  void operator()(unsigned char* to, std::size_t size) {
    constexpr std::string_view kNonce = "the sample nonce";
    if (!asked_ && size == kNonce.size()) {
      std::memcpy(to, kNonce.data(), size);
    } else {
      for (std::size_t i = 0; i < size; ++i) to[i] = next();
    }
    asked_ = true;
  }

 private:
  unsigned char next() {
    const std::size_t number = count_++;
    return static_cast<unsigned char>(number % 4 == 3 ? number / 4 : 0xa5 + number % 4 * 37);
  }
  bool asked_ = false;
  std::size_t count_ = 0;
};

// A frame of the client's, unmasked.
struct ClientFrame {
  std::uint8_t first;
  std::string payload;
  friend bool operator==(const ClientFrame&, const ClientFrame&) = default;
};

// The frames that `bytes` are; nullopt where they are not whole frames, masked and of minimal
// lengths.
inline std::optional<std::vector<ClientFrame>> client_frames(std::string_view bytes) {
  std::vector<ClientFrame> frames;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  while (!bytes.empty()) {
    if (bytes.size() < 6 || (byte(1) & 0x80U) == 0) return std::nullopt;
    std::uint64_t size = byte(1) & 0x7fU;
    const std::size_t wide = size == 126 ? 2 : size == 127 ? 8 : 0;
    if (bytes.size() < 6 + wide) return std::nullopt;
    if (wide != 0) size = 0;
    for (std::size_t i = 0; i < wide; ++i) size = size << 8U | byte(2 + i);
    if ((wide == 2 && size < 126) || (wide == 8 && size <= UINT16_MAX)) return std::nullopt;
    const std::string mask(bytes.substr(2 + wide, 4));
    ClientFrame frame{byte(0), std::string(bytes.substr(6 + wide, size))};
    if (frame.payload.size() != size) return std::nullopt;
    for (std::size_t i = 0; i < size; ++i) {
      frame.payload[i] = static_cast<char>(frame.payload[i] ^ mask[i % 4]);
    }
    bytes.remove_prefix(6 + wide + size);
    frames.push_back(std::move(frame));
  }
  return frames;
}

struct Outcome {
  std::string mqtt;
  std::string output;  // asked for once, at the end
  std::string fault;
  std::string close_reason;
  bool open = false;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

inline void expect_holds_of_websocket(bool holds) {
  if (!holds) std::abort();
}

// `pieces`: the size of each read, over and over.
inline Outcome receive_in_pieces(std::string_view bytes, const std::vector<std::size_t>& pieces) {
  WebSocket socket({"h", "/mqtt"}, KnownRandom());
  Outcome outcome;
  for (std::size_t i = 0; !bytes.empty(); ++i) {
    std::string piece(bytes.substr(0, std::max<std::size_t>(pieces[i % pieces.size()], 1)));
    bytes.remove_prefix(piece.size());
    const bool went_on = socket.fault().empty() && !socket.closed();
    const std::size_t kept = socket.receive(piece.data(), piece.size());
    expect_holds_of_websocket(kept <= piece.size() && (went_on || kept == 0));
    outcome.mqtt.append(piece, 0, kept);
  }
  socket.end();
  outcome.output = socket.take_output();
  expect_holds_of_websocket(socket.take_output().empty());
  outcome.fault = socket.fault();
  outcome.close_reason = socket.close_reason();
  outcome.open = socket.open();
  return outcome;
}

// The text of a fault that quotes what came has as much of it as had come.
inline std::string without_quote(const std::string& fault) {
  return fault.starts_with("it ") ? "it" : fault;
}

inline Outcome without_quotes(Outcome outcome) {
  outcome.fault = without_quote(outcome.fault);
  return outcome;
}

// Nothing breaks, whatever the bytes are; the first one says in which pieces they come, and whether
// the upgrade has been accepted before.
inline void receive_any_bytes(std::string_view bytes) {
  if (bytes.empty()) return;
  const auto how = static_cast<unsigned char>(bytes[0]);
  std::string all((how & 1U) != 0 ? kAccepted : std::string_view());
  all += bytes.substr(1);
  const Outcome whole = receive_in_pieces(all, {all.size()});
  const Outcome cut =
      receive_in_pieces(all, {std::size_t{how} / 2 % 16 + 1, std::size_t{how} / 32 + 1});
  expect_holds_of_websocket(without_quotes(whole) == without_quotes(cut));
  expect_holds_of_websocket(whole.mqtt.size() <= bytes.size());
  expect_holds_of_websocket(whole.open || (whole.mqtt.empty() && whole.output.empty()));
  expect_holds_of_websocket(whole.open || !whole.fault.empty());
  for (const std::string& text : {whole.fault, whole.close_reason}) {
    expect_holds_of_websocket(std::none_of(text.begin(), text.end(),
                                           [](unsigned char c) { return c < ' ' || c == 127; }));
  }
  const auto answers = client_frames(whole.output);
  expect_holds_of_websocket(answers && answers->size() <= 2);
  for (const ClientFrame& answer : *answers) {
    expect_holds_of_websocket(answer.payload.size() <= 125);
  }

  // And what is sent is what was to be sent.
  WebSocket socket({"h", "/mqtt"}, KnownRandom());
  std::string sent;
  const std::size_t half = bytes.size() / 3;
  const iovec pieces[] = {{const_cast<char*>(bytes.data()), half},
                          {const_cast<char*>(bytes.data()) + half, bytes.size() - half}};
  socket.wrap(pieces, sent);
  const auto frames = client_frames(sent);
  expect_holds_of_websocket(frames && frames->size() == 1 && frames->front().payload == bytes);
}

}  // namespace triggerd::mqtt::wire::test
