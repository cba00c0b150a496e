// The probe of a service, which a worker calls while the trigger is suspended: asked for, under
// way, or over.
#pragma once

#include <atomic>
#include <optional>

#include "base/clock.hpp"

namespace triggerd::dispatch {

// Guarded by its dispatcher's lock, except what is marked [any].
class Probe {
 public:
  void ask() { wanted_ = true; }
  bool wanted() const { return wanted_; }
  // Whether it is asked for or under way: then nothing else is tested.
  bool open() const { return wanted_ || deadline_; }

  // A worker calls it now. False: nobody has asked.
  bool begin(Monotonic deadline) {
    if (!wanted_) return false;
    wanted_ = false;
    deadline_ = deadline;
    under_way_ = true;
    return true;
  }
  // It has returned, or its worker is gone. False: none was under way.
  bool end() {
    if (!deadline_) return false;
    deadline_.reset();
    under_way_ = false;
    return true;
  }
  bool overruns(Monotonic now) const { return deadline_ && *deadline_ <= now; }
  bool under_way() const { return under_way_; }  // [any]

 private:
  bool wanted_ = false;
  std::optional<Monotonic> deadline_;  // of the one that is under way
  std::atomic<bool> under_way_{false};
};

}  // namespace triggerd::dispatch
