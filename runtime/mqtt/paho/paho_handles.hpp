// The library's handles, and when each is destroyed.
//
// Destroying a handle races with Paho's own threads while it has anything to do for it (its issues
// #1474, #1446, #1669), must not happen in a callback, and ends those threads with the last one. So
// a client that is gone leaves its handle here, and it is destroyed later, by whoever makes the
// next client: when it has no connection, and none under way, and has rested for a while. One
// handle, which never connects, stays, so that there is always a last one.
//
// Any thread that may wait for Paho's lock, unless it says otherwise.
#pragma once

#include <MQTTAsync.h>

#include <cstddef>
#include <memory>

namespace triggerd::mqtt {

struct Hook;

namespace paho_handles {

// Before the first handle is made.
void keep_one();
// `hook` lives until the handle is destroyed. [any thread, callbacks too]
void give_up(MQTTAsync handle, std::shared_ptr<Hook> hook);
// Destroys those that may go.
void tidy();
// How many handles there are beside the one that is kept, and how many of them were given up. [any]
std::size_t alive();
std::size_t resting();

}  // namespace paho_handles
}  // namespace triggerd::mqtt
