#include "plugin/isolation/ring.hpp"

#include <algorithm>
#include <cstring>

namespace triggerd::plugin::isolation {
namespace {

struct RecordHead {
  std::uint32_t type;
  std::uint32_t size;
};

std::uint64_t padded(std::uint64_t size) {
  return (sizeof(RecordHead) + size + 7) & ~std::uint64_t{7};
}

}  // namespace

RingWriter::Outcome RingWriter::write(std::uint32_t type, std::string_view record) {
  const std::uint64_t inside = written_ - counts_.read.load(std::memory_order_acquire);
  if (inside > bytes_.size()) return Outcome::protocol_error;
  const std::uint64_t needed = padded(record.size());
  if (needed > bytes_.size() - inside) return Outcome::full;
  const RecordHead head{type, static_cast<std::uint32_t>(record.size())};
  copy_in(written_, &head, sizeof head);
  copy_in(written_ + sizeof head, record.data(), record.size());
  written_ += needed;
  counts_.written.store(written_, std::memory_order_release);
  return Outcome::written;
}

void RingWriter::copy_in(std::uint64_t at, const void* from, std::size_t size) {
  if (size == 0) return;
  const std::size_t place = at & (bytes_.size() - 1);
  const std::size_t first = std::min(size, bytes_.size() - place);
  std::memcpy(bytes_.data() + place, from, first);
  if (size > first) {
    std::memcpy(bytes_.data(), static_cast<const std::byte*>(from) + first, size - first);
  }
}

RingReader::Outcome RingReader::read(std::uint32_t& type, std::string& into) {
  const std::uint64_t inside = counts_.written.load(std::memory_order_acquire) - read_;
  if (inside == 0) return Outcome::empty;
  if (inside > bytes_.size() || inside < sizeof(RecordHead)) return Outcome::protocol_error;
  RecordHead head{};
  copy_out(read_, &head, sizeof head);
  if (padded(head.size) > inside) return Outcome::protocol_error;
  type = head.type;
  into.resize(head.size);
  copy_out(read_ + sizeof head, into.data(), head.size);
  read_ += padded(head.size);
  counts_.read.store(read_, std::memory_order_release);
  return Outcome::record;
}

void RingReader::copy_out(std::uint64_t at, void* to, std::size_t size) const {
  if (size == 0) return;
  const std::size_t place = at & (bytes_.size() - 1);
  const std::size_t first = std::min(size, bytes_.size() - place);
  std::memcpy(to, bytes_.data() + place, first);
  if (size > first) {
    std::memcpy(static_cast<std::byte*>(to) + first, bytes_.data(), size - first);
  }
}

}  // namespace triggerd::plugin::isolation
