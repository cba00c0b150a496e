#include "plugin/isolation/shared_memory.hpp"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <new>
#include <utility>

#include "base/passing.hpp"

namespace triggerd::plugin::isolation {

Result<SharedMemory> SharedMemory::make() {
  UniqueFd fd(::memfd_create("triggerd-worker", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd || ::ftruncate(fd.get(), sizeof(SharedLayout)) != 0) {
    return fail_with(errno, "cannot allocate {} bytes of shared memory for a worker process",
                     sizeof(SharedLayout));
  }
  // A worker that shrank it would kill its host with SIGBUS.
  if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return fail("cannot seal the shared memory of a worker process: {}", errno_text(errno));
  }
  auto mapped = map(std::move(fd));
  if (mapped) new (mapped->layout_) SharedLayout;
  return mapped;
}

Result<SharedMemory> SharedMemory::map(UniqueFd fd) {
  void* const at =
      ::mmap(nullptr, sizeof(SharedLayout), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (at == MAP_FAILED) return fail_with(errno, "cannot map the shared memory of a worker process");
  ::madvise(at, sizeof(SharedLayout), MADV_DONTFORK);
  return SharedMemory(std::move(fd), static_cast<SharedLayout*>(at));
}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept
    : fd_(std::move(other.fd_)), layout_(std::exchange(other.layout_, nullptr)) {}

SharedMemory::~SharedMemory() {
  if (layout_ != nullptr) ::munmap(layout_, sizeof(SharedLayout));
}

void wait_while(std::atomic<std::uint32_t>& word, std::uint32_t value, std::int64_t at_most_ns) {
  const timespec bound{.tv_sec = at_most_ns / 1'000'000'000, .tv_nsec = at_most_ns % 1'000'000'000};
  ::syscall(SYS_futex, &word, FUTEX_WAIT, value, &bound, nullptr, 0);
}

void wake(std::atomic<std::uint32_t>& word, int threads) {
  ::syscall(SYS_futex, &word, FUTEX_WAKE, threads, nullptr, nullptr, 0);
}

}  // namespace triggerd::plugin::isolation
