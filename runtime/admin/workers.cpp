#include "admin/workers.hpp"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <system_error>

namespace triggerd::admin {

void become_background(const char* name) {
  pthread_setname_np(pthread_self(), name);
  // On Linux this is one thread's: setpriority(2), "C library/kernel differences".
  (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), 5);
}

Workers::Workers() {
  try {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      for (unsigned i = 0; i < kThreads[lane]; ++i) {
        const MutexLock lock(mutex_);
        threads_.emplace_back([this, lane] { work(lane); });
        ++running_;
      }
    }
  } catch (const std::system_error&) {
    static_cast<void>(stop(Monotonic::max()));  // those that there are
    throw;
  }
}

Workers::~Workers() {
  static_cast<void>(stop(Monotonic::max()));
}

bool Workers::run(Lane lane, Task task) {
  const MutexLock lock(mutex_);
  const auto number = static_cast<std::size_t>(lane);
  auto& queue = queues_[number];
  if (stopping_ || queue.size() >= kQueues[number]) return false;
  queue.push_back(std::move(task));
  wake_.notify_all();
  return true;
}

void Workers::work(std::size_t lane) {
  become_background("admin-worker");
  for (;;) {
    Task task;
    {
      const MutexLock lock(mutex_);
      while (!stopping_ && queues_[lane].empty()) wake_.wait(mutex_);
      if (stopping_) {
        --running_;
        ended_.notify_all();
        return;
      }
      task = std::move(queues_[lane].front());
      queues_[lane].pop_front();
    }
    task();
  }
}

bool Workers::stop(Monotonic deadline) {
  std::array<std::deque<Task>, kLanes> dropped;
  bool done = false;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    dropped.swap(queues_);
    wake_.notify_all();
    while (running_ > 0 && ended_.wait_until(mutex_, deadline) != std::cv_status::timeout) {
    }
    done = running_ == 0;
  }
  if (!done) return false;
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
  return true;
}

}  // namespace triggerd::admin
