// What a received message owes its server: the acknowledgement that is held for it.
#pragma once

#include <memory>

#include "mqtt/wire/link.hpp"

namespace triggerd::mqtt {

// Empty where nothing is held: QoS 0, or a connection that does not hold acknowledgements. Any
// thread; release() and flush() once the connection is gone do nothing.
class Receipt {
 public:
  Receipt() = default;
  Receipt(std::shared_ptr<wire::Link> link, wire::AckKind kind, wire::Gate::Ticket ticket)
      : link_(std::move(link)), kind_(kind), ticket_(ticket) {}

  explicit operator bool() const { return link_ != nullptr; }
  // The acknowledgement leaves with the next flush() once its turn has come.
  void release() {
    if (link_) link_->release(kind_, ticket_);
  }
  // Writes what may leave of this connection.
  void flush() {
    if (link_) link_->flush();
  }
  // Of the same connection.
  bool same_connection(const Receipt& other) const { return link_ == other.link_; }
  // The connection still stands, so the acknowledgement can still leave.
  bool open() const { return link_ && !link_->gone(); }

 private:
  std::shared_ptr<wire::Link> link_;
  wire::AckKind kind_ = wire::AckKind::puback;
  wire::Gate::Ticket ticket_ = 0;
};

}  // namespace triggerd::mqtt
