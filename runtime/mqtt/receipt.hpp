// What a received message owes its server: the acknowledgement that is held for it.
#pragma once

#include <cstdint>
#include <memory>

namespace triggerd::mqtt {

namespace wire {
class Link;
enum class AckKind : std::uint8_t;
}  // namespace wire

// Empty when nothing is held: for QoS 0, or on a connection that does not hold acknowledgements.
// Any thread. Once the connection is gone, release() and flush() do nothing.
class Receipt {
 public:
  using Ticket = std::uint64_t;  // wire::AckQueue's

  Receipt() = default;
  Receipt(std::shared_ptr<wire::Link> link, wire::AckKind kind, Ticket ticket)
      : link_(std::move(link)), kind_(kind), ticket_(ticket) {}

  explicit operator bool() const { return link_ != nullptr; }
  // The acknowledgement leaves with the next flush() once its turn has come.
  void release();
  // Writes the acknowledgements of this connection that may leave.
  void flush();
  // Of the same connection.
  bool same_connection(const Receipt& other) const { return link_ == other.link_; }
  // The connection still stands, so the acknowledgement can still leave.
  bool open() const;

 private:
  std::shared_ptr<wire::Link> link_;
  wire::AckKind kind_{};
  Ticket ticket_ = 0;
};

}  // namespace triggerd::mqtt
