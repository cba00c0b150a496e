// `triggerd --worker`: the process in which the plugin of an isolated trigger runs.
//
// It is the in-process path once more: a Generation, one Instance, its workers; what is different
// is what stands behind them (worker_side.hpp).
//
// Threads: main carries out the host's orders, which are the calls that the ABI leaves to the
// control thread; `reader` reads the socket, and ends the process group when the host has gone; the
// workers and the completions thread are the instance's own.
#pragma once

namespace triggerd::plugin::isolation {

// What the process returns. Only ever called by a process that Child started.
int run_worker();

}  // namespace triggerd::plugin::isolation
