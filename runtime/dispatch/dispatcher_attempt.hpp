// What dispatcher*.cpp share: an attempt, and what is to be told of one.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "dispatch/dispatcher.hpp"

namespace triggerd::dispatch {

struct Dispatcher::Attempt {
  enum class State {
    ahead,      // handed over, to begin when the one before it has come to TRIGGER_OK
    running,    // in the service's hands, not answered
    completed,  // complete() came before handle() has returned; `answer` is it
    pending,    // handle() has returned, complete() has not come
    overdue,    // handle() has not returned by the deadline
    late        // pending past the deadline: over, but the service may still read the message
  };
  State state = State::running;
  bool in_use = false;
  DeliveryPtr delivery;
  Monotonic began{};
  Monotonic deadline{};
  plugin::Answer answer;
  bool tries = false;   // whether what the service needs is there again
  bool let_go = false;  // overdue, and complete() has come: nobody reads the message after handle()
  trigger_message message{};
};

// Of one hold of the lock.
struct Dispatcher::Report {
  std::optional<Monotonic> now;
  DeliveryPtr finished;
  bool idle_next = false;
  bool room_changed = false;
  std::vector<DispatchEvent> events;
  std::vector<std::uint64_t> survived;  // identities of messages that Deaths may forget
  std::vector<std::pair<DeliveryPtr, std::string>> dead_letters;  // to be written, and why

  // Whether there is nothing but a finished message.
  bool empty() const {
    return events.empty() && dead_letters.empty() && survived.empty() && !room_changed;
  }
};

}  // namespace triggerd::dispatch
