// Which link a descriptor is. The one global of this layer: POSIX calls have no place for a context
// but the descriptor.
#pragma once

#include <memory>

#include "mqtt/wire/link.hpp"

namespace triggerd::mqtt::wire {

// Null where the library has not used `fd`, or has closed it. [any]
std::shared_ptr<Link> find_link(int fd);
// The same, made where there is none. [Paho's threads]
std::shared_ptr<Link> link_of(int fd);
// From now on it is found: what it is for has been said, since others may look at once. [Paho's
// threads]
void add_link(std::shared_ptr<Link> link);
// Ends the link, so that whoever gets the same number next finds nothing of it. [Paho's threads]
void forget_link(int fd);

}  // namespace triggerd::mqtt::wire
