// While what the service needs is away (TRIGGER_UNAVAILABLE), nothing is handed out until the
// backoff is over; then one message is, as a test, and no other before its outcome is known. Any
// outcome but the same verdict, or no verdict in time, ends the outage. What was in the service's
// hands when the outage began is no evidence of its end.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/backoff.hpp"
#include "base/clock.hpp"
#include "dispatch/dispatch_event.hpp"

namespace triggerd::dispatch {

// Guarded by its dispatcher's lock.
class Outage {
 public:
  // `clock` and `random` outlive it.
  Outage(const Backoff& backoff, const Clock& clock, const Random& random);

  // No outage: messages go as usual.
  bool over() const { return state_ == State::over; }
  // Whether a message may be handed out, as far as the outage is concerned.
  bool admits() const { return state_ == State::over || state_ == State::due; }
  // Whether the next message that is handed out is the test.
  bool tests_next() const { return state_ == State::due; }
  // When a message is to be tried; nullopt if that is not known, or one may be already.
  std::optional<Monotonic> waits_until() const;

  // A message was handed out. True: it is the test.
  bool begin_attempt() {
    if (state_ != State::due) return false;
    state_ = State::testing;
    test_at_once_ = false;
    return true;
  }
  // A message ended with TRIGGER_UNAVAILABLE, or without a verdict in time: what the service needs
  // is away. `tested`: it was the test; other messages say nothing new during an outage.
  // `draining`: nobody waits for the end of the outage.
  std::optional<event::Unavailable> begin(bool tested, const std::string& reason,
                                          Millis retry_after, bool draining);
  // The test got through.
  std::optional<event::Available> end();
  // The test ended without a result: another message is the next one.
  void test_again();
  // The backoff is over, or is not waited for. False: nothing waits for it.
  bool test_now();
  // What the service needs may be back: as test_now(); if a message is being tried and fails, the
  // next one is tried at once.
  bool may_be_over();
  // Forgets all of it.
  void reset();

  struct View {
    Wall since{};
    std::string reason;
  };
  std::optional<View> view() const;

 private:
  enum class State {
    over,
    waiting,  // until next_
    due,      // one message may go
    testing   // it has gone, and nothing goes beside it
  };

  Backoff backoff_;
  const Clock& clock_;
  const Random& random_;
  State state_ = State::over;
  std::uint32_t failures_ = 0;  // in a row
  Monotonic next_{};
  Millis wait_{};
  bool test_at_once_ = false;  // should the message that is being tried fail
  Monotonic began_{};
  Wall since_{};
  std::string reason_;
  std::optional<Monotonic> ended_;  // the last time
};

}  // namespace triggerd::dispatch
