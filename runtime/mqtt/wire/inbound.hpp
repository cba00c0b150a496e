// Cuts what comes on one connection into MQTT packets.
//
// Bytes are read straight into the memory that room() names, and a packet is looked at where it
// lies. A large packet gets memory of its own, so that its payload is not copied again. A message
// that is too large is not kept: its bytes pass by, and only its beginning stays, to tell of it.
//
// Pure: it has no socket, no clock and no thread. One object for each connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace triggerd::mqtt::wire {

// A whole packet, or the beginning of a message that was too large.
struct Packet {
  std::uint8_t first = 0;
  std::string_view body;   // what follows its length
  std::uint64_t size = 0;  // of what was sent after its length, in bytes
  bool skipped = false;    // too large: `body` is topic, packet id and properties only
  bool cut = false;        // and not all of the properties, which are very long
};

class Inbound {
 public:
  // How much is read ahead at once.
  static constexpr std::size_t kAhead = 65'536;
  // A packet of so many bytes is read into memory of its own. The next one is expected to be large
  // as well, so only kLittle bytes are read with its beginning.
  static constexpr std::size_t kLarge = 16'384;
  static constexpr std::size_t kLittle = 2'048;
  // The limit for packets other than messages.
  static constexpr std::size_t kMostOfOthers = 1 << 20;
  // What a message may have beside topic and payload before it is too large.
  static constexpr std::size_t kAllowance = 131'072;

  // Memory for reading ahead is borrowed: `take` gives kAhead bytes, `give` gets them back.
  struct Buffers {
    std::function<std::unique_ptr<char[]>()> take;
    std::function<void(std::unique_ptr<char[]>)> give;
  };
  explicit Inbound(Buffers buffers) : buffers_(std::move(buffers)) {}

  // The most that topic and payload of a message may have together.
  void limit_messages(std::uint64_t bytes) { most_ = bytes; }
  // Messages have properties.
  void expect_properties(bool v5) { v5_ = v5; }

  // ---- Bytes in ----

  struct Room {
    char* at;
    std::size_t size;
  };
  // Where the next bytes go; there is room for one at least. Earlier answers are void.
  Room room();
  // So many bytes have been put there.
  void on_received(std::size_t size);

  // ---- Packets out ----

  // The first byte of the next packet, as soon as it is there.
  std::optional<std::uint8_t> first_byte() const;
  // The packet at the front, the same until pop(). Null: it is not all there.
  const Packet* front();
  // All of the packet at the front, from its first byte.
  std::string_view front_bytes() const;
  void pop();
  // Memory that the packet at the front has of its own: from now on it belongs to the caller, who
  // frees it with free(3), and the packet's views stay valid. Null: the packet lies in what was
  // read ahead.
  char* take_memory() { return large_ ? large_.release() : nullptr; }
  // What is wrong with the length of the packet at the front; empty if nothing is.
  const std::string& wrong() const { return wrong_; }
  // The beginning of what has come and was not taken, as far as it was read ahead.
  std::string_view ahead() const { return {buffer_.get() + at_, end_ - at_}; }
  bool empty() const { return at_ == end_ && !large_ && left_ == 0; }
  // Gives the memory for reading ahead back, unless something is in it.
  void release_buffer();

 private:
  struct Free {
    void operator()(char* memory) const { std::free(memory); }
  };
  bool look();
  void begin_large(std::size_t total);
  void begin_skipping(std::uint64_t total);
  void skip();
  std::size_t head_wanted() const;

  Buffers buffers_;
  std::uint64_t most_ = kMostOfOthers;
  bool v5_ = false;

  std::unique_ptr<char[]> buffer_;  // kAhead bytes, or null
  std::size_t at_ = 0;
  std::size_t end_ = 0;
  bool was_large_ = false;

  // A packet with memory of its own.
  std::unique_ptr<char, Free> large_;
  std::size_t large_size_ = 0;
  std::size_t large_has_ = 0;

  // A message that passes by.
  std::uint64_t left_ = 0;  // of it to come
  std::string head_;        // its beginning, from its first byte
  bool skipped_ = false;    // it has passed, and is at the front
  std::uint64_t skipped_size_ = 0;

  bool whole_ = false;        // the packet at the front is, and `front_` shows it
  bool front_large_ = false;  // it has memory of its own, or had
  std::size_t front_size_ = 0;
  Packet front_;
  const char* front_at_ = nullptr;
  std::string wrong_;
};

}  // namespace triggerd::mqtt::wire
