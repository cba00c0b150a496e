// What a service tries on what is not its own: other processes, the machine, its own bonds.
#pragma once

#include <sys/types.h>

#include <string>

namespace hostile {

// The names of the attacks that were not refused; "none". `host` is the runtime, `neighbour`
// another worker of it or 0. Where one is not refused it does no harm.
std::string attacks_that_go_through(pid_t host, pid_t neighbour);

// What a service may do to what is its own; the names of what was refused, "nothing".
std::string rights_that_are_missing();

// Takes shared memory until there is no more, at most 2 GiB of it; true: it got all of that.
bool eat_shared_memory();
bool eat_memory_file();

// Fills what the worker shares with the runtime to wake it, so that whoever writes there has to
// wait.
void fill_doorbell();

// A program that its own timeout ends: how long that took in milliseconds, and the signal.
std::string start_program_with_timeout();

// A fault that is caught, as the runtimes of some languages do it.
bool catch_fault();

}  // namespace hostile
