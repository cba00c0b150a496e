// Finds the link of a descriptor. A global, because the descriptor is all the context that POSIX
// calls carry. Has a lock of its own.
#pragma once

#include <memory>

#include "mqtt/wire/link.hpp"

namespace triggerd::mqtt::wire {

// Null: the library has not used `fd`, or has closed it. [any]
std::shared_ptr<Link> find_link(int fd);
// The same; a link is made if there is none. [Paho's threads]
std::shared_ptr<Link> link_of(int fd);
// From now on it is found. Wants: it has been told what it carries, since others may look at once.
// [Paho's threads]
void add_link(std::shared_ptr<Link> link);
// Shuts the link down, so that whoever gets the same number next finds nothing of it. [Paho's
// threads]
void forget_link(int fd);

}  // namespace triggerd::mqtt::wire
