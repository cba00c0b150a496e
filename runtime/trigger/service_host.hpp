// What a trigger's service may ask of the runtime while it handles messages: complete a pending
// one, get more time for it, publish.
#pragma once

#include <cstdint>

#include "config/config_fwd.hpp"
#include "dispatch/dispatcher.hpp"
#include "plugin/work.hpp"
#include "trigger/publisher.hpp"

namespace triggerd::trigger {

// Thread-safe: it has no state. All outlive it.
class ServiceHost final : public plugin::InstanceHost {
 public:
  ServiceHost(const config::Trigger& trigger, dispatch::Dispatcher& dispatcher,
              Publisher& publisher)
      : trigger_(trigger), dispatcher_(dispatcher), publisher_(publisher) {}

  std::int32_t complete(std::uint64_t token, plugin::Answer answer) override;
  std::int32_t extend(std::uint64_t token, std::uint32_t ms) override;
  std::int32_t publish(const trigger_publish& request, plugin::PublishDone done) override;

 private:
  const config::Trigger& trigger_;
  dispatch::Dispatcher& dispatcher_;
  Publisher& publisher_;
};

}  // namespace triggerd::trigger
