// The kernel's table of this process's file descriptors.
#pragma once

namespace triggerd {

// Makes the table as large as `count` descriptors want it, or as the process's limit lets it. It
// grows by itself too, but not for free once there are threads: whoever opens the descriptor that
// it is too small for then waits until no other processor can be reading the old table, 5 to 12 ms.
// So call it before there are any. [main]
void make_room_for_descriptors(unsigned count);

}  // namespace triggerd
