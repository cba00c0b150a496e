// A worker with everything that is its own: gone together.
#pragma once

#include <optional>

#include "plugin/isolation/doorbell.hpp"
#include "plugin/isolation/link.hpp"
#include "plugin/isolation/system_call_judge.hpp"

namespace triggerd::plugin::isolation {

struct Link::Process {
  Process(SharedMemory shared, UniqueFd socket_end, Doorbell bell, Child started)
      : memory(std::move(shared)),
        socket(std::move(socket_end),
               [this](std::uint32_t type) { return longest_frame(type, state_is_due); }),
        doorbell(std::move(bell)),
        child(std::move(started)),
        to_worker(memory->to_worker, memory->to_worker_bytes),
        to_host(memory->to_host, memory->to_host_bytes) {}

  SharedMemory memory;
  HostSocket socket;
  Doorbell doorbell;
  Child child;
  std::optional<SystemCallJudge> judge;
  RingWriter to_worker;
  RingReader to_host;
  // For the ring, while that is full.
  std::deque<std::pair<ToWorker, std::string>> backlog;
  bool state_is_due = false;  // it was told to save
  Monotonic memory_seen{};    // when its memory was last looked at
  bool runs = false;          // it was told to run: messages may go to it
  bool rang = false;          // something was written that the worker was not woken for yet
  bool has_ended = false;     // its process, or its end of the socket
  std::string rubbish{};      // what it wrote that makes no sense; then it has to go
  bool handled_one = false;
  unsigned turns = 0;
};

}  // namespace triggerd::plugin::isolation
