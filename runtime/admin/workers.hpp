// The threads that handlers run on, a few for each lane, so that what waits for a server keeps
// nobody from asking how things are. A lane whose queue is full says so at once. Health and metrics
// have a lane each, which nothing else can fill: their queues have a place for every connection.
#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "admin/router.hpp"
#include "admin/server.hpp"
#include "base/clock.hpp"
#include "base/mutex.hpp"

namespace triggerd::admin {

// Makes the calling thread give way to those that handle messages, and names it.
void become_background(const char* name);

class Workers {
 public:
  using Task = std::function<void()>;

  Workers();
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // False: as much waits already as may. [any]
  [[nodiscard]] bool run(Lane lane, Task task);
  // Drops what waits, and waits for what runs. False: something still runs at `deadline`; then this
  // object must not be destroyed.
  [[nodiscard]] bool stop(Monotonic deadline);

  static constexpr std::size_t kQueue = 64;
  static constexpr unsigned kLanes = 5;

 private:
  // read, change, wait, health, metrics
  static constexpr std::array<unsigned, kLanes> kThreads = {2, 1, 4, 1, 1};
  static constexpr std::size_t kAllConnections = 2 * (kConnections + kReserve);
  static constexpr std::array<std::size_t, kLanes> kQueues = {kQueue, kQueue, kQueue,
                                                              kAllConnections, kAllConnections};

  void work(std::size_t lane);

  Mutex mutex_;
  CondVar wake_;
  CondVar ended_;
  bool stopping_ TRIGGERD_GUARDED_BY(mutex_) = false;
  unsigned running_ TRIGGERD_GUARDED_BY(mutex_) = 0;  // threads
  std::array<std::deque<Task>, kLanes> queues_ TRIGGERD_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

}  // namespace triggerd::admin
