// A PacketIdWaiter that calls a function.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "inbox/writer.hpp"

namespace triggerd::inbox {

class CallingWaiter final : public PacketIdWaiter {
 public:
  explicit CallingWaiter(
      std::function<void()> done, std::function<void()> flush = [] {})
      : done_(std::move(done)), flush_(std::move(flush)) {}
  void done() override { done_(); }
  void flush_acknowledgement() override { flush_(); }

 private:
  const std::function<void()> done_;
  const std::function<void()> flush_;
};

}  // namespace triggerd::inbox
