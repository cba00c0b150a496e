// The library's handles, and when each is destroyed.
//
// Destroying a handle races with Paho's own threads as long as they have work for it (its issues
// #1474, #1446, #1669), must not happen in a callback, and ends those threads when it was the last
// one. So a client that goes leaves its handle here. Whoever makes the next client destroys those
// that have no connection, none under way, and have rested for a while. One handle that never
// connects is kept, so that no other is ever the last.
//
// Called on any thread that may wait for Paho's lock, unless a function says otherwise.
#pragma once

#include <MQTTAsync.h>

#include <cstddef>
#include <memory>

namespace triggerd::mqtt {

struct CallbackContext;

namespace paho_handles {

// Before the first handle is made.
void keep_one();
// `callbacks` lives until the handle is destroyed. [any thread, callbacks too]
void give_up(MQTTAsync handle, std::shared_ptr<CallbackContext> callbacks);
// Destroys the handles that may go.
void tidy();
// How many handles there are beside the one that is kept, and how many of them were given up. [any]
std::size_t alive();
std::size_t resting();

}  // namespace paho_handles
}  // namespace triggerd::mqtt
