// Which user is at the other end of a TCP connection on loopback. The kernel knows, since both ends
// are on this machine.
#pragma once

#include <sys/types.h>

#include <optional>

namespace triggerd::admin {

// The user that owns the socket at the other end of `fd`, a connected TCP socket both of whose
// addresses belong to this machine. nullopt: it cannot be found out, for example because the other
// end is closed already; conclude nothing from that. Takes microseconds. [any]
std::optional<uid_t> peer_user(int fd);

// Whether `user` may do everything that this process may do: it is the user that this process runs
// as, or root. Never true for the id that the kernel reports for users of other user namespaces.
bool is_own_user(uid_t user);

}  // namespace triggerd::admin
