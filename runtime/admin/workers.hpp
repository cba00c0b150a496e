// The threads that handlers run on, a few for each lane, so that requests that wait for a server do
// not hold up requests for the status. A lane whose queue is full refuses tasks at once. Health and
// metrics have a lane each, which nothing else can fill and whose queue has room for every
// connection.
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

// Names the calling thread, and lowers its priority below that of threads that handle messages.
void become_background(const char* name);

class Workers {
 public:
  using Task = std::function<void()>;

  Workers();
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // False: the queue of the lane is full, or the workers stop. [any]
  [[nodiscard]] bool run(Lane lane, Task task);
  // Drops the tasks that wait in queues, and waits for those that run. False: one still runs at
  // `deadline`; then this object must not be destroyed.
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
