// Stops programs of jq that take too long. It counts the processor's time of the thread that runs
// one, so that a machine with too much to do stops none.
//
// One thread for all of the process: it is there while anybody holds the watchdog, and sleeps while
// no program has run for a while.
#pragma once

#include <time.h>

#include <memory>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "base/mutex.hpp"
#include "content/libjq.hpp"

namespace triggerd::content {

class Watchdog {
 public:
  // How often it looks.
  static constexpr Millis kLook{10};

  // The one of the process; throws std::system_error if there can be no thread. [any]
  static std::shared_ptr<Watchdog> shared();
  Watchdog();
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // The calling thread runs `program` while this lives. Nothing else stops that program.
  class Run {
   public:
    Run(Watchdog& watchdog, jq_state& program, Millis limit);
    ~Run();
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;
    // Whether the program was stopped.
    bool stopped() const;

   private:
    friend class Watchdog;
    bool over() const;

    Watchdog& watchdog_;
    jq_state& program_;
    clockid_t clock_{};
    std::chrono::nanoseconds until_{};
    bool stopped_ = false;
  };

 private:
  void look_on();

  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<Run*> running_ TRIGGERD_GUARDED_BY(mutex_);
  unsigned idle_looks_ TRIGGERD_GUARDED_BY(mutex_) = 0;
  bool asleep_ TRIGGERD_GUARDED_BY(mutex_) = false;
  bool ending_ TRIGGERD_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // the last member: it uses the others
};

}  // namespace triggerd::content
