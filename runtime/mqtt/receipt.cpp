#include "mqtt/receipt.hpp"

#include "mqtt/wire/link.hpp"

namespace triggerd::mqtt {

void Receipt::release() {
  if (link_) link_->release(kind_, ticket_);
}

void Receipt::flush() {
  if (link_) link_->flush();
}

bool Receipt::open() const {
  return link_ && !link_->gone();
}

}  // namespace triggerd::mqtt
