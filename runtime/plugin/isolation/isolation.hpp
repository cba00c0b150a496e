// isolation/: services in processes of their own. They use the same plugin file and the same ABI; a
// crash there costs one attempt here.
//
// In the host:
//   isolation.hpp      makes such instances
//   worker_link.hpp    keeps a worker running for one instance: the thread, and control's orders
//   call_queue.hpp     functions that other threads run on the link thread
//   restart_timer.hpp  when the next worker starts
//   worker_metrics.hpp what the service counts, over all its workers
//   worker_process.hpp one worker process: started, watched, reaped (child.hpp)
//   message_feed.hpp   messages to the worker
//   worker_output.hpp  what the worker writes, judged and passed on
//   host_calls.hpp     host functions that its service calls
//   mailbox.hpp        results of publishes, on their way to the worker
//   system_call_judge.hpp  what the worker may do to other processes
//
// In the worker:
//   worker.hpp         its main: `triggerd --worker`
//   worker_side.hpp    its source of messages, and the host of its services
//   host_caller.hpp    calls of host functions, which wait for the host's code
//   host_writer.hpp    writes to the host's ring
//   confinement.hpp    what it gives up (system_call_filter.hpp)
//
// Between them:
//   shared_memory.hpp  the memory that both map
//   ring.hpp           records in it, and the memory order
//   doorbell.hpp       how a worker wakes its host
//   frames.hpp         the socket
//   protocol.hpp       what is sent, as bytes (codec.hpp)
//
// There is one worker for each instance, so for each isolated trigger (and one for its monitor
// service). It has its own state, and a crash affects it alone.
//
//      host                                                   worker
//      Dispatcher <- poll, answered -  WorkerLink == rings ==>  WorkerSide <- take - LocalInstance
//      Trigger    <- publish ... ----  (one thread) = socket =>  main, reader        with workers
//
// Threads of the host: one for each isolated instance, the link thread "l:TRIGGER". It alone
// touches the worker, and never waits for it without a bound. Nobody waits for the link thread in
// turn, apart from control: the dispatcher writes to its eventfd, which no worker has, and goes on.
//
// Trust: none. The worker may be anything by the time it writes, so every count, length, type,
// place and token that comes from it is copied and then checked. A violation of the protocol ends
// the worker, as a crash does.
#pragma once

#include <memory>

#include "plugin/plugin.hpp"

namespace triggerd::plugin::isolation {

// As Generation::create, but in a worker process. [control]
Result<std::unique_ptr<Instance>> create(std::shared_ptr<Generation> generation,
                                         const config::Trigger& trigger, InstanceHost& host,
                                         Log& log);

// Creates and destroys the trigger's service in a worker, which then ends, to see whether that ends
// the process. A service that refuses its settings is no error here. [control]
Result<> try_create(const Generation& generation, const config::Trigger& trigger,
                    InstanceHost& host);

// Loads the generation's plugin in a worker, which then ends, to see what it has. [control]
Result<Description> describe(const Generation& generation, Log& log);

}  // namespace triggerd::plugin::isolation
