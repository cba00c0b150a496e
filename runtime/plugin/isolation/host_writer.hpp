// Writes records to the host's ring, and wakes the host.
//
// A lock of its own. [any thread of the worker]
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/mutex.hpp"
#include "plugin/isolation/protocol.hpp"
#include "plugin/isolation/ring.hpp"
#include "plugin/isolation/shared_memory.hpp"

namespace triggerd::plugin::isolation {

class HostWriter {
 public:
  // `doorbell` is the eventfd that wakes the host. Both outlive it.
  HostWriter(SharedLayout& shared, int doorbell)
      : shared_(shared),
        doorbell_(doorbell),
        ring_(shared.to_host, shared.to_host_bytes),
        longest_(ring_.longest()) {}

  // The longest record that fits; longer ones go on the socket.
  std::size_t longest() const { return longest_; }
  // These wait until there is room, and do not wake the host for what they have written.
  void write(ToHost type, std::string_view record);
  void write(const Verdict& verdict);
  // Wakes the host, if it sleeps.
  void wake_host();

 private:
  void put(ToHost type, std::string_view record) TRIGGERD_REQUIRES(mutex_);

  SharedLayout& shared_;
  const int doorbell_;
  Mutex mutex_;
  RingWriter ring_ TRIGGERD_GUARDED_BY(mutex_);
  std::string record_ TRIGGERD_GUARDED_BY(mutex_);  // kept for its memory
  const std::size_t longest_;
};

}  // namespace triggerd::plugin::isolation
