#include "plugin/isolation/host_writer.hpp"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

namespace triggerd::plugin::isolation {
namespace {

constexpr std::chrono::microseconds kRoomPause{50};
constexpr int kNoDoorbell = 71;

}  // namespace

void HostWriter::write(ToHost type, std::string_view record) {
  const MutexLock lock(mutex_);
  put(type, record);
}

void HostWriter::write(const Verdict& verdict) {
  const MutexLock lock(mutex_);
  encode(verdict, record_);
  put(ToHost::verdict, record_);
}

void HostWriter::put(ToHost type, std::string_view record) {
  while (ring_.write(static_cast<std::uint32_t>(type), record) != RingWriter::Outcome::written) {
    wake_host();
    std::this_thread::sleep_for(kRoomPause);
  }
}

void HostWriter::wake_host() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (shared_.host_sleeps.load(std::memory_order_relaxed) == 0) return;
  if (shared_.host_sleeps.exchange(0) == 0) return;
  const std::uint64_t one = 1;
  if (::write(doorbell_, &one, sizeof one) < 0) ::_exit(kNoDoorbell);
}

}  // namespace triggerd::plugin::isolation
