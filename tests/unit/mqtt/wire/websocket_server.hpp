// What a server of WebSockets says to whatever request it got.
#pragma once

#include <openssl/evp.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/base64.hpp"

namespace triggerd::mqtt::wire::test {

// It accepts the upgrade that `request` asks for; empty where that has no key.
inline std::string accepts(std::string_view request) {
  constexpr std::string_view kField = "Sec-WebSocket-Key: ";
  const std::size_t at = request.find(kField);
  if (at == std::string_view::npos) return {};
  const std::string_view key = request.substr(at + kField.size());
  const std::string text =
      std::string(key.substr(0, key.find('\r'))) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha1(), nullptr);
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: " +
         base64({reinterpret_cast<const char*>(digest), size}) +
         "\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
}

// One frame; `first` 0x82: the whole of a binary message.
inline std::string server_frame(std::string_view payload, std::uint8_t first = 0x82) {
  std::string frame(1, static_cast<char>(first));
  const std::uint64_t size = payload.size();
  const int wide = size < 126 ? 0 : size <= UINT16_MAX ? 2 : 8;
  frame += static_cast<char>(wide == 0 ? size : wide == 2 ? 126 : 127);
  for (int i = wide - 1; i >= 0; --i) frame += static_cast<char>(size >> (8 * i) & 0xffU);
  return frame.append(payload);
}

}  // namespace triggerd::mqtt::wire::test
