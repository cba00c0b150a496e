// Where the MQTT library reads a packet: it asks for the first byte, for those of its length, and
// then for all that is behind them, whatever the connection is made of. What a server may not send
// is refused in between, before the library acts on it. The linker gives its calls these names
// (wire.cmake); in a version of the library that has no such functions nothing is looked at.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "mqtt/wire/receiver.hpp"

// NOLINTBEGIN(bugprone-reserved-identifier): the linker chose the prefix.

namespace triggerd::mqtt::wire {
namespace {

// What the library's functions return, as its Socket.h has it.
constexpr int kComplete = 0;
constexpr int kError = -1;

// The packet that is being read.
struct Reading {
  Link* link = nullptr;   // as long as it is being read
  std::size_t bytes = 0;  // that came one by one: the first, and those of its length
  std::uint8_t first = 0;
  bool empty = true;  // as far as its length has come

  bool refuses_beginning() const { return noted(link->refuses_beginning(first)); }
  bool refuses(std::string_view body) const {
    return (link->framed() && refuses_beginning()) || noted(link->refuses(first, body));
  }

 private:
  bool noted(bool refused) const {
    if (refused) Receiver::of_this_thread().note_refusal(link->fault());
    return refused;
  }
};
thread_local Reading reading;

}  // namespace
}  // namespace triggerd::mqtt::wire

extern "C" {

using triggerd::mqtt::wire::kComplete;
using triggerd::mqtt::wire::kError;
using triggerd::mqtt::wire::Link;
using triggerd::mqtt::wire::reading;
using triggerd::mqtt::wire::Receiver;

__attribute__((weak)) void* MQTTPacket_Factory(int version, void* net, int* error);
__attribute__((weak)) int WebSocket_getch(void* net, char* byte);
__attribute__((weak)) char* WebSocket_getdata(void* net, std::size_t size, std::size_t* came);
}

namespace triggerd::mqtt::wire {
namespace {

// The library has the frames of all connections in one list: what is left of one that is refused
// would be read by the next.
void drain(void* net, std::size_t left) {
  std::size_t came = 0;
  static_cast<void>(WebSocket_getdata(net, left, &came));
}

}  // namespace
}  // namespace triggerd::mqtt::wire

extern "C" {

using triggerd::mqtt::wire::drain;

// It begins anew where a packet was not all there. What it is told the connection by begins with
// its socket.
void* __wrap_MQTTPacket_Factory(int version, void* net, int* error) {
  const int fd = *static_cast<const int*>(net);
  std::shared_ptr<Link> keep;
  reading.link = &triggerd::mqtt::wire::link_to_read(fd, keep);
  reading.bytes = 0;
  Receiver::of_this_thread().forget_refusal();
  void* const packet = MQTTPacket_Factory(version, net, error);
  reading.link = nullptr;
  return packet;
}

int __wrap_WebSocket_getch(void* net, char* byte) {
  const int result = WebSocket_getch(net, byte);
  if (result != kComplete || reading.link == nullptr) return result;
  const auto value = static_cast<std::uint8_t>(*byte);
  if (reading.bytes++ == 0) {
    reading.first = value;
    reading.empty = true;
    // In a frame, what is left of it has to be known first.
    return !reading.link->framed() && reading.refuses_beginning() ? kError : result;
  }
  reading.empty = reading.empty && (value & 0x7fU) == 0;
  const bool is_all = reading.empty && (value & 0x80U) == 0;  // nothing is behind its length
  if (!is_all || !reading.refuses({})) return result;
  if (reading.link->framed()) {
    std::size_t left = 0;
    char* const data = WebSocket_getdata(net, 1, &left);
    if (data != nullptr && left > 1) drain(net, left - 1);
  }
  return kError;
}

// Of a frame of WebSocket `came` is all that is left of it, which may be more packets.
char* __wrap_WebSocket_getdata(void* net, std::size_t size, std::size_t* came) {
  char* const data = WebSocket_getdata(net, size, came);
  if (data == nullptr || size == 0 || *came < size || reading.link == nullptr) return data;
  if (!reading.refuses({data, size})) return data;
  if (reading.link->framed() && *came > size) drain(net, *came - size);
  return nullptr;
}

}  // extern "C"

// NOLINTEND(bugprone-reserved-identifier)
