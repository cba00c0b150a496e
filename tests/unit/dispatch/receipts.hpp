// Connections that are told apart and do nothing else: what is held for them is never released.
#pragma once

#include <memory>

#include "unit/dispatch/messages.hpp"

namespace triggerd::dispatch::test {

class FakeConnection {
 public:
  mqtt::Receipt receipt() const { return {link_, {}, 0}; }

 private:
  const std::shared_ptr<int> identity_ = std::make_shared<int>();
  // No link is there: only its address is ever looked at.
  const std::shared_ptr<mqtt::wire::Link> link_{
      identity_, reinterpret_cast<mqtt::wire::Link*>(identity_.get())};
};

}  // namespace triggerd::dispatch::test
