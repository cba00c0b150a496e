#include "mqtt/wire/inbound.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "mqtt/packet/packet_bytes.hpp"
#include "mqtt/packet/packet_type.hpp"

namespace triggerd::mqtt::wire {
namespace {

constexpr std::size_t kMostLengthBytes = 4;
// The longest beginning of a message, up to the length of its properties.
constexpr std::size_t kMostHead = 1 + kMostLengthBytes + 2 + 65'535 + 2 + kMostLengthBytes;
// So much is kept of the properties of a message that is too large.
constexpr std::size_t kMostProperties = 1 << 20;

struct Variable {
  enum class State { whole, part, wrong } state;
  std::uint64_t value = 0;
  std::size_t size = 0;  // in bytes, of the integer itself
};

// The variable byte integer at `at` (MQTT 5.0, section 1.5.5).
Variable variable_at(std::string_view bytes, std::size_t at) {
  Variable found{Variable::State::part};
  for (std::size_t i = 0; i < kMostLengthBytes; ++i) {
    if (at + i >= bytes.size()) return found;
    const std::uint8_t byte = byte_at(bytes, at + i);
    found.value |= std::uint64_t{byte & 0x7fU} << (7 * i);
    if ((byte & 0x80U) == 0) return {Variable::State::whole, found.value, i + 1};
  }
  found.state = Variable::State::wrong;
  return found;
}

// The size of a PUBLISH from its first byte up to its payload; nullopt: `bytes` do not show it yet.
std::optional<std::size_t> head_of_message(std::string_view bytes, bool v5) {
  const Variable length = variable_at(bytes, 1);
  if (length.state != Variable::State::whole) return std::nullopt;
  std::size_t at = 1 + length.size;
  if (bytes.size() < at + 2) return std::nullopt;
  at += 2 + std::size_t{number_at(bytes, at)};
  if ((byte_at(bytes, 0) & 0x06U) != 0) at += 2;
  if (!v5) return at;
  const Variable properties = variable_at(bytes, at);
  // A length that is wrong is found by whoever looks at the packet.
  if (properties.state == Variable::State::wrong) return at + kMostLengthBytes;
  if (properties.state == Variable::State::part) return std::nullopt;
  return at + properties.size + properties.value;
}

}  // namespace

Inbound::Room Inbound::room() {
  if (large_ && large_has_ < large_size_) {
    return {large_.get() + large_has_, large_size_ - large_has_};
  }
  if (!buffer_) buffer_ = buffers_.take();
  if (at_ == end_) {
    at_ = end_ = 0;
  } else if (at_ > 0 && !whole_) {
    // This is the beginning of a packet, and smaller than kLarge.
    std::memmove(buffer_.get(), buffer_.get() + at_, end_ - at_);
    end_ -= std::exchange(at_, 0);
  }
  const bool little = was_large_ && left_ == 0 && end_ < kLittle;
  const std::size_t most = little ? kLittle : kAhead;
  return {buffer_.get() + end_, most - end_};
}

void Inbound::on_received(std::size_t size) {
  if (large_ && large_has_ < large_size_) {
    large_has_ += size;
    return;
  }
  end_ += size;
}

std::optional<std::uint8_t> Inbound::first_byte() const {
  if (whole_) return front_.first;
  if (large_) return byte_at({large_.get(), 1}, 0);
  if (left_ > 0 || skipped_) return byte_at(head_, 0);
  if (at_ == end_) return std::nullopt;
  return static_cast<std::uint8_t>(buffer_[at_]);
}

const Packet* Inbound::front() {
  if (!whole_) whole_ = look();
  return whole_ ? &front_ : nullptr;
}

// Whether there is a whole packet: then `front_` shows it.
bool Inbound::look() {
  if (left_ > 0) skip();
  if (skipped_) {
    front_ = {.first = byte_at(head_, 0), .body = {}, .size = skipped_size_, .skipped = true};
    front_.body = std::string_view(head_).substr(1 + variable_at(head_, 1).size);
    const auto head = head_of_message(head_, v5_);
    // Properties that are said to go on behind their packet are wrong, and not long.
    const std::uint64_t total = 1 + variable_at(head_, 1).size + skipped_size_;
    front_.cut = head && *head > head_.size() && *head <= total;
    front_at_ = head_.data();
    front_size_ = head_.size();
    return true;
  }
  if (left_ > 0) return false;
  if (large_) {
    if (large_has_ < large_size_) return false;
    const std::string_view bytes(large_.get(), large_size_);
    const std::size_t head = 1 + variable_at(bytes, 1).size;
    front_ = {.first = byte_at(bytes, 0), .body = bytes.substr(head), .size = large_size_ - head};
    front_at_ = bytes.data();
    front_size_ = bytes.size();
    front_large_ = true;
    return true;
  }
  const std::string_view bytes = ahead();
  if (bytes.size() < 2) return false;
  const Variable length = variable_at(bytes, 1);
  if (length.state == Variable::State::wrong) {
    wrong_ = "it sent a packet whose length field has more than four bytes";
    return false;
  }
  if (length.state == Variable::State::part) return false;
  const std::size_t head = 1 + length.size;
  const std::uint64_t total = head + length.value;
  const bool publish = byte_at(bytes, 0) >> 4 == packet_type::kPublish;
  if (bytes.size() >= total) {
    front_ = {
        .first = byte_at(bytes, 0), .body = bytes.substr(head, length.value), .size = length.value};
    front_at_ = bytes.data();
    front_size_ = total;
    was_large_ = total >= kLarge;
    return true;
  }
  if (!publish && total > kMostOfOthers) {
    wrong_ = fmt::format("it announced a packet of {} bytes that is not a PUBLISH", total);
    return false;
  }
  if (publish && total > most_ + kAllowance) {
    begin_skipping(total);
    return look();
  }
  if (total >= kLarge) begin_large(total);
  return false;
}

void Inbound::begin_large(std::size_t total) {
  large_.reset(static_cast<char*>(std::malloc(total)));
  if (!large_) throw std::bad_alloc();
  large_size_ = total;
  large_has_ = end_ - at_;
  std::memcpy(large_.get(), buffer_.get() + at_, large_has_);
  at_ = end_ = 0;
  was_large_ = true;
}

void Inbound::begin_skipping(std::uint64_t total) {
  head_.clear();
  left_ = total;
  skipped_size_ = total - 1 - variable_at(ahead(), 1).size;
}

// How much of a message that passes by is to be kept, as far as is known by now.
std::size_t Inbound::head_wanted() const {
  const auto head = head_of_message(head_, v5_);
  if (!head) return kMostHead;
  return std::min(*head, kMostHead + kMostProperties);
}

void Inbound::skip() {
  while (left_ > 0 && at_ < end_) {
    const std::size_t here = static_cast<std::size_t>(std::min<std::uint64_t>(left_, end_ - at_));
    const std::size_t wanted = head_wanted();
    // In steps, since only its beginning says how long its beginning is.
    constexpr std::size_t kStep = 256;
    const std::size_t kept =
        head_.size() < wanted ? std::min({here, wanted - head_.size(), kStep}) : 0;
    if (kept > 0) {
      head_.append(buffer_.get() + at_, kept);
      at_ += kept;
      left_ -= kept;
    } else {
      at_ += here;
      left_ -= here;
    }
  }
  if (left_ > 0) return;
  skipped_ = true;
  // The last step may have taken some of the payload.
  if (const auto head = head_of_message(head_, v5_); head && *head < head_.size()) {
    head_.resize(*head);
  }
}

std::string_view Inbound::front_bytes() const {
  return {front_at_, front_size_};
}

void Inbound::pop() {
  if (!whole_) return;
  whole_ = false;
  if (skipped_) {
    skipped_ = false;
    std::string().swap(head_);
  } else if (std::exchange(front_large_, false)) {
    large_.reset();
    large_size_ = large_has_ = 0;
  } else {
    at_ += front_size_;
  }
}

void Inbound::release_buffer() {
  if (at_ != end_ || !buffer_ || whole_) return;
  at_ = end_ = 0;
  buffers_.give(std::move(buffer_));
}

}  // namespace triggerd::mqtt::wire
