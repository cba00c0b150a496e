// The kernel's table of this process's file descriptors.
#pragma once

namespace triggerd {

// Makes the table large enough for `count` descriptors, or as large as the process's limit allows.
// The table also grows by itself, but once there are threads that is not free: the call that opens
// one descriptor too many waits for 5 to 12 ms until no other processor can be reading the old
// table. So call this before there are threads. [main]
void make_room_for_descriptors(unsigned count);

}  // namespace triggerd
