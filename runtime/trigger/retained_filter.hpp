// Which retained messages a trigger takes. A server sends them again with every SUBSCRIBE, so with
// retained = "once" one is taken only if its payload differs from the last one of its topic.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.hpp"
#include "config/delivery_rules.hpp"

namespace triggerd::trigger {

// Thread-safe; its lock is a leaf.
class RetainedFilter {
 public:
  // A topic, and the digest of the payload that was handled last on it.
  using Handled = std::pair<std::string, std::string>;
  // Keeps one of these over restarts.
  using Remember = std::function<void(std::string_view topic, std::string_view digest)>;

  RetainedFilter(config::Retained rule, Remember remember)
      : rule_(rule), remember_(std::move(remember)) {}

  // Whether load() has any use for what earlier processes handled.
  bool remembers() const { return rule_ == config::Retained::once; }
  void load(const std::vector<Handled>& handled);
  // Whether a retained message is to be handled. One that is counts as the topic's last from now
  // on, so that it is taken once even while it is being handled. [receive thread]
  bool takes(std::string_view topic, std::span<const std::uint8_t> payload);
  // A retained message has come to its end: a restart has to know of it. [any]
  void handled(std::string_view topic, std::span<const std::uint8_t> payload);

 private:
  const config::Retained rule_;
  const Remember remember_;
  Mutex mutex_;
  std::map<std::string, std::string, std::less<>> last_ TRIGGERD_GUARDED_BY(mutex_);
};

}  // namespace triggerd::trigger
