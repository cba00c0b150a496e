// A ring of records in memory that two processes share: one writes, one reads.
//
// Layout. `written` and `read` count bytes since the beginning and never decrease. A byte's place
// is its count modulo the ring's size, a power of two. A record is an 8-byte head (type, size), its
// bytes, and padding to a multiple of 8; it may wrap at any byte.
//
// Memory order. The writer stores `written` with release after the bytes, the reader loads it with
// acquire before them; `read` goes back the same way. Each side keeps its own count in private
// memory and never relies on the shared one.
//
// Trust. The other side may write anything at any time. So a count is checked before it is used,
// and bytes are copied out before anybody looks at them. Where a count or a length cannot be, that
// is a protocol error: the ring cannot be used any more, and nothing outside it was touched.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace triggerd::plugin::isolation {

struct RingCounts {
  alignas(64) std::atomic<std::uint64_t> written{0};
  alignas(64) std::atomic<std::uint64_t> read{0};
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

// [one thread at a time]
class RingWriter {
 public:
  // The size of `bytes` is a power of two, at least 64.
  RingWriter(RingCounts& counts, std::span<std::byte> bytes) : counts_(counts), bytes_(bytes) {}

  enum class Outcome { written, full, protocol_error };
  Outcome write(std::uint32_t type, std::string_view record);
  // Whether the reader has read everything.
  bool drained() const { return counts_.read.load(std::memory_order_acquire) == written_; }
  // The longest record that is written here; longer ones go on the socket.
  std::size_t longest() const { return bytes_.size() / 4; }

 private:
  void copy_in(std::uint64_t at, const void* from, std::size_t size);

  RingCounts& counts_;
  const std::span<std::byte> bytes_;
  std::uint64_t written_ = 0;
};

// [one thread at a time]
class RingReader {
 public:
  RingReader(RingCounts& counts, std::span<std::byte> bytes) : counts_(counts), bytes_(bytes) {}

  enum class Outcome { record, empty, protocol_error };
  // Copies the next record to `into`.
  Outcome read(std::uint32_t& type, std::string& into);
  bool empty() const { return counts_.written.load(std::memory_order_acquire) == read_; }

 private:
  void copy_out(std::uint64_t at, void* to, std::size_t size) const;

  RingCounts& counts_;
  const std::span<std::byte> bytes_;
  std::uint64_t read_ = 0;
};

}  // namespace triggerd::plugin::isolation
