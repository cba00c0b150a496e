// Carries out the host functions that a service calls in its worker, and writes each one's code to
// the place where the worker waits for it.
//
// [link], without a lock.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "plugin/isolation/mailbox.hpp"
#include "plugin/isolation/protocol.hpp"
#include "plugin/isolation/shared_memory.hpp"
#include "plugin/work.hpp"

namespace triggerd::plugin::isolation {

class HostCalls {
 public:
  // `shared` and `host` outlive it; results of publishes go to `mailbox`.
  HostCalls(SharedLayout& shared, InstanceHost& host, std::shared_ptr<Mailbox> mailbox)
      : shared_(shared), host_(host), mailbox_(std::move(mailbox)) {}

  // `type` is complete, extend or publish. Where the service may not call now (`allowed`), its call
  // is answered with TRIGGER_E_STATE. Returns what the protocol does not allow; empty: nothing, and
  // the call was answered.
  std::string_view carry_out(ToHost type, std::string_view bytes, bool allowed);

 private:
  std::string_view complete(std::string_view bytes, bool allowed);
  std::string_view extend(std::string_view bytes, bool allowed);
  std::string_view publish(std::string_view bytes, bool allowed);
  std::int32_t publish_checked(const Publish& call);
  std::string_view answer(std::uint32_t place, std::int32_t code);

  SharedLayout& shared_;
  InstanceHost& host_;
  const std::shared_ptr<Mailbox> mailbox_;
};

}  // namespace triggerd::plugin::isolation
