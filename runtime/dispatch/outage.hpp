// While what the service needs is away (TRIGGER_UNAVAILABLE), nothing is handed out until the
// backoff is over; then one message is, and no more before it is known what became of it. Any
// outcome but the same verdict, or none in time, ends the outage. What was in the service's hands
// when the outage began says nothing of it any more.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/backoff.hpp"
#include "base/clock.hpp"
#include "dispatch/dispatch_event.hpp"

namespace triggerd::dispatch {

// No lock of its own: it lives under its dispatcher's lock.
class Outage {
 public:
  // `clock` and `random` outlive it.
  Outage(const Backoff& backoff, const Clock& clock, const Random& random);

  // No outage: messages go as ever.
  bool over() const { return state_ == State::over; }
  // Whether a message may be handed out, as far as this goes.
  bool admits() const { return state_ == State::over || state_ == State::due; }
  // Whether the next message that is handed out is the one that finds out.
  bool tests_next() const { return state_ == State::due; }
  // When a message is to be tried; nullopt if that is not known, or one may be already.
  std::optional<Monotonic> waits_until() const;

  // A message was handed out. True: it is the one that finds out.
  bool begin_attempt() {
    if (state_ != State::due) return false;
    state_ = State::testing;
    test_at_once_ = false;
    return true;
  }
  // A message came to TRIGGER_UNAVAILABLE, or to no verdict in time: what the service needs is
  // away. `tested`: it was the one to find out; others tell nothing while an outage goes on.
  // `draining`: nobody waits for it.
  std::optional<event::Unavailable> begin(bool tested, const std::string& reason,
                                          Millis retry_after, bool draining);
  // The message that was to find out got through.
  std::optional<event::Available> end();
  // The message that was to find out did not: another one does.
  void test_again();
  // The backoff is over, or is not waited for. False: nothing waits for it.
  bool test_now();
  // What the service needs may be back: as test_now(); where a message is being tried, one is
  // again, at once, if that one failed.
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
