// The memory that a worker shares with its host: two rings, a bell, and places for answers.
//
//   to_worker  messages: written by the host's link thread, read by the worker's threads
//   to_host    verdicts and calls: written by the worker's threads, read by the link thread
//   bell       a futex that is incremented when there is something in to_worker
//   calls      one place for each call of the worker that waits for its code
//
// It is a memory file that the host makes and whose descriptor the worker gets. A process that a
// plugin forks does not have it (MADV_DONTFORK), so it cannot write where its parent does.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/file.hpp"
#include "base/result.hpp"
#include "plugin/isolation/ring.hpp"

namespace triggerd::plugin::isolation {

inline constexpr std::size_t kRingBytes = std::size_t{256} << 10;
inline constexpr std::size_t kCallPlaces = 64;

struct alignas(64) CallPlace {
  std::atomic<std::uint32_t> answered{0};  // a futex
  std::atomic<std::int32_t> code{0};
};

struct SharedLayout {
  RingCounts to_worker;
  RingCounts to_host;
  alignas(64) std::atomic<std::uint32_t> bell{0};
  std::atomic<std::uint32_t> at_the_bell{0};              // how many threads of the worker wait
  alignas(64) std::atomic<std::uint32_t> host_sleeps{0};  // 1: the host is woken by its doorbell
  std::array<CallPlace, kCallPlaces> calls;
  alignas(4096) std::array<std::byte, kRingBytes> to_worker_bytes;
  std::array<std::byte, kRingBytes> to_host_bytes;
};

class SharedMemory {
 public:
  static Result<SharedMemory> make();            // for the host
  static Result<SharedMemory> map(UniqueFd fd);  // for the worker
  SharedMemory(SharedMemory&& other) noexcept;
  SharedMemory& operator=(SharedMemory&&) = delete;
  ~SharedMemory();

  SharedLayout& operator*() const { return *layout_; }
  SharedLayout* operator->() const { return layout_; }
  int fd() const { return fd_.get(); }

 private:
  SharedMemory(UniqueFd fd, SharedLayout* layout) : fd_(std::move(fd)), layout_(layout) {}

  UniqueFd fd_;
  SharedLayout* layout_;
};

// Waits while `word` is `value`, at most for `at_most_ns`. May return early.
void wait_while(std::atomic<std::uint32_t>& word, std::uint32_t value, std::int64_t at_most_ns);
void wake(std::atomic<std::uint32_t>& word, int threads);

}  // namespace triggerd::plugin::isolation
