// Decides whether a message may be handed out now. It may not while the dispatcher is held (its
// trigger is suspended or disabled) or quiesced (its service is being replaced), or while what the
// service needs is away. Whether there is a message, and a free place for it, is not decided here.
//
// While it is held, one message at a time may be let through to find out whether the service works
// again: the half-open attempt.
#pragma once

#include <cstddef>
#include <optional>

#include "dispatch/dispatch_event.hpp"
#include "dispatch/outage.hpp"
#include "dispatch/probe.hpp"

namespace triggerd::dispatch {

// Guarded by its dispatcher's lock, except what is marked [any].
class Admission {
 public:
  // `clock` and `random` outlive it.
  Admission(const Backoff& backoff, const Clock& clock, const Random& random)
      : outage_(backoff, clock, random) {}

  // Whether a message may go while `in_flight` others are in the service's hands.
  bool admits(std::size_t in_flight) const {
    return !quiesced_ && outage_.admits() &&
           (!held_ || (half_open_ == HalfOpen::wanted && in_flight == 0));
  }
  // Whether messages may go freely: none of them has to test the service or an outage first.
  bool unrestricted() const { return !quiesced_ && !held_ && outage_.over(); }
  // A message was handed out. True: it tests whether the outage is over.
  bool begin_attempt() {
    if (held_ && half_open_ == HalfOpen::wanted) half_open_ = HalfOpen::running;
    return outage_.begin_attempt();
  }

  void hold();
  // Holds, and forgets a half-open attempt: a message has used up its attempts.
  void suspend();
  void resume();
  bool held() const { return held_; }
  void quiesce() { quiesced_ = true; }
  // Another build of the service may find what it needs: then a message is tried at once.
  void unquiesce();

  // While held: lets one message through. False: it is not held, or lets one through already.
  bool begin_half_open();
  // Whether a message that fails is the half-open attempt.
  bool half_open() const { return held_ && half_open_ == HalfOpen::running; }
  // The half-open attempt is over. False: none was under way.
  bool end_half_open() {
    if (half_open_ != HalfOpen::running) return false;
    half_open_ = HalfOpen::none;
    return true;
  }

  // There is no message for the half-open attempt. False: none was wanted.
  bool drop_half_open() {
    if (half_open_ != HalfOpen::wanted) return false;
    half_open_ = HalfOpen::none;
    return true;
  }
  // half_open() has told nothing: another message is one.
  void repeat_half_open() { half_open_ = HalfOpen::wanted; }

  // From here until resume() everything ends as soon as it can. False: it is draining already.
  bool begin_draining();
  bool draining() const { return draining_; }

  // See Outage; while held there is none.
  std::optional<event::Unavailable> unavailable(bool tested, const std::string& reason,
                                                Millis retry_after);
  // What the service needs may be back. False: nothing waits for that.
  bool may_be_over() { return !draining_ && outage_.may_be_over(); }

  Outage& outage() { return outage_; }
  const Outage& outage() const { return outage_; }
  Probe& probe() { return probe_; }
  const Probe& probe() const { return probe_; }

 private:
  enum class HalfOpen { none, wanted, running };

  bool held_ = false;
  bool quiesced_ = false;
  bool draining_ = false;
  HalfOpen half_open_ = HalfOpen::none;
  Outage outage_;
  Probe probe_;
};

}  // namespace triggerd::dispatch
