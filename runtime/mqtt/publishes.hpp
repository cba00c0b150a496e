// The publishes of one connection that the server has not confirmed yet.
//
// Whatever the MQTT library does, each is told its outcome once: confirmed, or failed with the
// connection. Any thread; outcomes are told without a lock held.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/mutex.hpp"
#include "mqtt/mqtt.hpp"

namespace triggerd::mqtt {

class Publishes {
 public:
  static constexpr std::size_t kCapacity = 1000;

  // nullopt: there are kCapacity under way already.
  std::optional<std::uint64_t> add(PublishDone done);
  // Tells the outcome, where it has not been told yet.
  void finish(std::uint64_t number, const Result<>& outcome);
  // Forgets it untold. False: it was told already.
  bool withdraw(std::uint64_t number);
  bool empty() const;
  void fail_all(const std::string& why);

 private:
  mutable Mutex mutex_;
  std::map<std::uint64_t, PublishDone> waiting_ TRIGGERD_GUARDED_BY(mutex_);
  std::uint64_t last_ TRIGGERD_GUARDED_BY(mutex_) = 0;
};

}  // namespace triggerd::mqtt
