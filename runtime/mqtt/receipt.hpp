// What a received message owes its server: the acknowledgement that is held for it.
#pragma once

#include <cstdint>
#include <memory>

namespace triggerd::mqtt {

namespace wire {
class Link;
enum class AckKind : std::uint8_t;
}  // namespace wire

// Empty where nothing is held: QoS 0, or a connection that does not hold acknowledgements. Any
// thread; release() and flush() once the connection is gone do nothing.
class Receipt {
 public:
  using Ticket = std::uint64_t;  // wire::Gate's

  Receipt() = default;
  Receipt(std::shared_ptr<wire::Link> link, wire::AckKind kind, Ticket ticket)
      : link_(std::move(link)), kind_(kind), ticket_(ticket) {}

  explicit operator bool() const { return link_ != nullptr; }
  // The acknowledgement leaves with the next flush() once its turn has come.
  void release();
  // Writes what may leave of this connection.
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
