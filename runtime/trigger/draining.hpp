// Triggers that stop together: what they have accepted is finished, and those with a clean session
// receive what their server still has for them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "base/clock.hpp"

namespace triggerd::inbox {
class Writer;
}  // namespace triggerd::inbox

namespace triggerd::trigger {

// What is to be drained: a trigger that has stopped receiving. [the thread that drains]
class Draining {
 public:
  virtual ~Draining() = default;
  // Lets what was accepted finish. True: there is nothing more to wait for before `deadline`; else
  // it waits until `pause` at most.
  virtual bool drain(Monotonic deadline, Monotonic pause) = 0;
  // It receives what the server has for a clean session that has unsubscribed, until end_leaving().
  virtual bool leaving() const = 0;
  // The server has said that it is not subscribed any more, or there is no connection.
  virtual bool left() const = 0;
  virtual void end_leaving() = 0;
  // Messages that came, wanted or not. [any]
  virtual std::uint64_t arrived() const = 0;
  // Sends every acknowledgement that may leave. [any]
  virtual void flush_acknowledgements() = 0;
};

// What draining needs of its surroundings.
struct DrainingServices {
  const Clock& clock;
  std::function<void(Monotonic until)> sleep;
  std::function<void(Monotonic deadline)> flush_inbox;  // so that acknowledgements may leave
  std::function<bool()> give_up;
};

// Waits until everything that can finish has finished, at most until `deadline`, or until give_up()
// returns true, which is asked every few milliseconds. Meanwhile clean sessions that have
// unsubscribed receive what the server still has for them, since nobody keeps that. They are done
// once everything that came is acknowledged, nothing more comes for a moment, and the server has
// confirmed that they are not subscribed, or takes too long to.
void drain_all(std::span<Draining* const> all, const DrainingServices& services,
               Monotonic deadline);
// The same, for triggers of this runtime; the calling thread sleeps meanwhile. [control, main]
void drain_all(std::span<Draining* const> all, inbox::Writer& writer, Monotonic deadline,
               std::function<bool()> give_up, const Clock& clock);

}  // namespace triggerd::trigger
