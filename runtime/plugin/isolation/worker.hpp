// `triggerd --worker`: the process in which the plugin of an isolated trigger runs.
//
// It has what an instance has in the runtime's own process: a Generation, one Instance, its
// workers. Only what is behind them is different (worker_side.hpp).
//
// Threads: main carries out the host's orders, which are the calls that the ABI reserves for the
// control thread. `reader` reads the socket, and ends the process group when the host has gone. The
// workers and the completions thread belong to the instance.
#pragma once

namespace triggerd::plugin::isolation {

// Returns the exit status. Only a process that Child started can run it.
int run_worker();

}  // namespace triggerd::plugin::isolation
