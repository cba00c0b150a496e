// Whose process is at the other end of a TCP connection on loopback. The kernel knows, as both ends
// are its own.
#pragma once

#include <sys/types.h>

#include <optional>

namespace triggerd::admin {

// The user that owns the socket at the other end of `fd`, a connected TCP socket both of whose
// addresses are of this machine. nullopt: nobody can say, and nothing may be concluded from it, as
// when the other end is closed already. Takes microseconds. [any]
std::optional<uid_t> peer_user(int fd);

// Whether `user` may do everything that this process may: it is its own user, or root.
bool is_own_user(uid_t user);

}  // namespace triggerd::admin
