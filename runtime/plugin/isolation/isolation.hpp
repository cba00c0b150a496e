// isolation/: a service in a process of its own. The same plugin file, the same ABI on the far
// side; a crash there costs an attempt here.
//
//   isolation.hpp      makes such instances
//   link.hpp           the host's end of a worker: starts, feeds, hears, buries it
//                      (link_traffic.cpp: what goes and comes; process.hpp; mailbox.hpp)
//   child.hpp          the process: started, watched, ended with all it has started
//   worker.hpp         the worker's main: `triggerd --worker`
//   worker_side.hpp    the worker's end of the rings
//   confinement.hpp    what a worker gives up (system_call_filter.hpp)
//   system_call_judge.hpp  what it may do to other processes: the host says
//   shared_memory.hpp  what both see
//   doorbell.hpp       how a worker wakes its host
//   ring.hpp           records in it, and the memory order
//   frames.hpp         the socket beside it
//   protocol.hpp       what is said, as bytes (codec.hpp)
//
// One worker for each instance, so for each isolated trigger (and one for its monitor service): its
// state is its own, and so is its crash.
//
//      host                                            worker
//      Dispatcher  <- poll, answered -  Link  == rings ==>  WorkerSide  <- take -  LocalInstance
//      Trigger     <- publish ... ----  (one thread)  == socket ==>  main, reader     with its
//      workers
//
// Threads of the host: one for each isolated instance, the link thread "l:TRIGGER". It alone
// touches the worker, never waits for it without a bound, and does not hold up anybody: the
// dispatcher rings its doorbell, an eventfd that no worker has, and goes on.
//
// Who is believed: nobody. The worker may be anything by the time it writes, so every count,
// length, type, place and token that comes from it is checked, after it was copied. What makes no
// sense ends the worker, as a crash does.
#pragma once

#include <memory>

#include "plugin/plugin.hpp"

namespace triggerd::plugin::isolation {

// As Generation::create, in a worker process. [control]
Result<std::unique_ptr<Instance>> create(std::shared_ptr<Generation> generation,
                                         const config::Trigger& trigger, InstanceHost& host,
                                         Log& log);

// Whether the trigger's service can be made in a process without ending it: it is made, and
// destroyed, in a worker that ends then. A refusal by the service itself is none here. [control]
Result<> try_create(const Generation& generation, const config::Trigger& trigger,
                    InstanceHost& host);

// What the generation's plugin has, from a worker that loads it and ends again. [control]
Result<Description> describe(const Generation& generation, Log& log);

}  // namespace triggerd::plugin::isolation
