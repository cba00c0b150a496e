// Where a dispatcher's results go.
#pragma once

#include <string>

#include "dispatch/dispatch_event.hpp"

namespace triggerd::dispatch {

// Called without the dispatcher's lock, on the thread that brought the result about: a worker, the
// receive thread, the timer, or a thread of a plugin.
class DeliverySink {
 public:
  virtual ~DeliverySink() = default;
  // The service said TRIGGER_OK. `idle_next`: idle() comes at once.
  virtual void finished(Delivery& delivery, bool idle_next) = 0;
  // Keeps the message as a dead letter. False: not possible now; it is asked again later.
  virtual bool write_dead_letter(Delivery& delivery, const std::string& reason) = 0;
  virtual void on_event(const DispatchEvent& event) = 0;
  // A worker has nothing more to do for now, so what was held back to leave together may leave.
  // [worker, receive thread]
  virtual void idle() = 0;
  // full() has changed. Two changes may be reported in either order, so ask full() again.
  virtual void room_changed() = 0;
};

}  // namespace triggerd::dispatch
