// One operation that was asked of Paho and has not ended. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "mqtt/client.hpp"
#include "mqtt/paho/callback_context.hpp"

namespace triggerd::mqtt {

// Paho's context is the number of a call and not its address, because Paho does not call back for
// each (a DISCONNECT for a connection that has just been lost ends without a word), and for some
// twice. Calls that it has forgotten are freed with the handle.
struct PendingCall {
  enum class Kind { connect, other };
  PendingCall(CallbackContext& of, ConnectAttempt at, Kind is, std::size_t filter_count = 0,
              PublishDone told = {});
  ~PendingCall();
  PendingCall(const PendingCall&) = delete;
  PendingCall& operator=(const PendingCall&) = delete;

  CallbackContext& callbacks;
  const ConnectAttempt attempt;
  const Kind kind;
  const std::size_t filters;
  const PublishDone done;
  const std::uintptr_t number;

 private:
  friend void free_forgotten_calls(CallbackContext& callbacks);
  // Neighbours among those under way, in the list of the client.
  PendingCall* before_ = nullptr;
  PendingCall* after_ = nullptr;
};

// From now on the operation is under way. What Paho gets as its context.
void* begin_call(std::unique_ptr<PendingCall> call);
// Ends it; null where it has ended before.
std::unique_ptr<PendingCall> take_call(void* context);
// Those that Paho has forgotten.
void free_forgotten_calls(CallbackContext& callbacks);

}  // namespace triggerd::mqtt
