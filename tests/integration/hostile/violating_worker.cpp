// Stands in for `triggerd --worker` and is what a plugin may make of that: it answers its orders as
// it should, and its first message with the violation of the protocol that VIOLATION names.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <random>
#include <string>

#include "plugin/isolation/child.hpp"
#include "plugin/isolation/frames.hpp"
#include "plugin/isolation/protocol.hpp"
#include "plugin/isolation/shared_memory.hpp"

using namespace triggerd::plugin::isolation;

namespace {

void wake_host(SharedLayout& shared) {
  shared.host_sleeps.store(0);
  const std::uint64_t one = 1;
  static_cast<void>(!::write(kDoorbellFd, &one, sizeof one));
}

void violate(const std::string& kind, SharedLayout& shared, WorkerSocket& socket) {
  RingWriter ring(shared.to_host, shared.to_host_bytes);
  std::mt19937 engine(static_cast<unsigned>(::getpid()));
  if (kind == "counts") {
    shared.to_host.written.store(~std::uint64_t{0});
    shared.to_worker.read.store(12'345'678);
  } else if (kind == "bytes") {
    for (std::byte& byte : shared.to_host_bytes) byte = static_cast<std::byte>(engine());
    shared.to_host.written.store(kRingBytes);
  } else if (kind == "type") {
    ring.write(77, "x");
  } else if (kind == "verdict") {
    ring.write(static_cast<std::uint32_t>(ToHost::verdict), "short");
  } else if (kind == "place") {
    ring.write(static_cast<std::uint32_t>(ToHost::extend),
               encode(Extend{.place = 1'000'000, .token = 1, .ms = 1}));
  } else if (kind == "frame") {
    const char absurd[8] = {1, 0, 0, 0, '\xff', '\xff', '\xff', '\xff'};
    static_cast<void>(!::write(kSocketFd, absurd, sizeof absurd));
  } else if (kind == "large frame") {  // of a type that there is, and that is never so long
    for (const ToHost type : {ToHost::reply, ToHost::log, ToHost::publish}) {
      const std::uint32_t announced[2] = {static_cast<std::uint32_t>(type), 1U << 30};
      static_cast<void>(!::write(kSocketFd, announced, sizeof announced));
    }
  } else if (kind == "reply") {
    socket.send(static_cast<std::uint32_t>(ToHost::reply), "no reply");
  } else if (kind == "verdicts") {  // well made, for attempts that are not there
    for (int i = 0; i < 1'000; ++i) {
      std::string record;
      encode(Verdict{.token = engine(), .answer = {}, .busy_ns = 1}, record);
      ring.write(static_cast<std::uint32_t>(ToHost::verdict), record);
    }
    ring.write(77, "the end");
  }
  wake_host(shared);
}

}  // namespace

int main() {
  auto memory = SharedMemory::map(triggerd::UniqueFd(kMemoryFd));
  if (!memory) return 1;
  WorkerSocket socket(kSocketFd);
  while (const auto frame = socket.receive()) {
    std::string bytes;
    if (frame->type == static_cast<std::uint32_t>(ToWorker::setup)) {
      bytes = encode(Loaded{{.version = "1", .services = {{"obey", 1, true, 1}}}, 0});
    }
    socket.send(static_cast<std::uint32_t>(ToHost::reply),
                encode(Reply{.ok = true, .bytes = bytes}));
    if (frame->type == static_cast<std::uint32_t>(ToWorker::destroy)) return 0;
    if (frame->type == static_cast<std::uint32_t>(ToWorker::run)) {
      while ((*memory)->to_worker.written.load() == 0) ::usleep(500);  // its first message
      violate(std::getenv("VIOLATION"), **memory, socket);             // NOLINT: one thread
    }
  }
  return 0;
}
