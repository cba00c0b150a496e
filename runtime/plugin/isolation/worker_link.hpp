// Keeps a worker process running for one instance: starts it, carries out the orders of control on
// it, moves messages and verdicts, and reaps and restarts it where it ends.
//
// One thread, the link thread "l:TRIGGER", runs everything that is marked [link], so this has no
// lock. Other threads come in by call(), which runs a function on the link thread and waits; by the
// eventfd that the dispatcher writes to when there may be work; by the mailbox, where results of
// publishes go; and by metrics(). Each of these has its own lock.
//
// Where a worker ends that nobody has asked to, its attempts are given up (WorkSource::lost) and
// another one is started after a delay (restart_timer.hpp).
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/backoff.hpp"
#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "plugin/instance/life_call.hpp"
#include "plugin/isolation/call_queue.hpp"
#include "plugin/isolation/protocol.hpp"
#include "plugin/isolation/restart_timer.hpp"
#include "plugin/isolation/worker_metrics.hpp"
#include "plugin/process/thread.hpp"
#include "plugin/work.hpp"

namespace triggerd::plugin::isolation {

class Mailbox;
class WorkerProcess;

class WorkerLink {
 public:
  struct Options {
    std::filesystem::path program;  // this one, for `PROGRAM --worker`
    Setup setup;
    Millis patience{30'000};                     // for what a worker is told to do
    std::shared_ptr<const Patience> stopping{};  // less, once the runtime stops; may be null
    Backoff restarts{.min = Millis(50), .max = Millis(30'000), .factor = 2.0};
    Random random;
    const Clock* clock = &system_clock();
  };
  // `host`, `log` and the clock outlive it. Its thread runs from now on; there is no worker yet.
  static Result<std::unique_ptr<WorkerLink>> make(Options options, InstanceHost& host, Log& log);
  // Ends the worker, if there is one.
  ~WorkerLink();
  WorkerLink(const WorkerLink&) = delete;
  WorkerLink& operator=(const WorkerLink&) = delete;

  // Runs `function` on the link thread and waits for it. [any but link]
  void call(const std::function<void()>& function) { calls_.call(function); }
  // What the service counts, over all its workers. [any but link]
  std::vector<Metric> metrics() { return metrics_.ask(); }

  // ---- Orders: carried out by the time they return. [link] ----

  // The code of an error that a living worker answered with.
  static constexpr int kRefused = 1;
  // The code of an error whose text names the call and the service itself.
  static constexpr int kHung = 2;

  // Starts a worker, which loads the plugin and creates the service.
  Result<Loaded> open();
  Result<> start();
  // Has the worker handle messages of `source`, which outlives end_serving().
  Result<> serve(WorkSource& source);
  // Takes nothing more from the source, and waits until `deadline` for calls of the service. Of the
  // attempts, only pending ones are in the worker's hands afterwards.
  void end_serving(Monotonic deadline);
  void stop();
  // nullopt: the service saves nothing, or what it had is gone with its worker.
  Result<std::optional<SavedState>> save();
  Result<> restore(const SavedState& state);
  // Ends the worker: by an order if `in_good_order`, and by force where that does not help.
  void close(bool in_good_order);

 private:
  enum class Stage { closed, created, started, serving };
  // How long an order is waited for: `usual`, but less where the runtime stops; `impatient`, no
  // longer than nobody calls; `deadline`, whether or not the runtime stops.
  enum class Bound { usual, impatient, deadline };

  WorkerLink(Options options, InstanceHost& host, Log& log, UniqueFd doorbell);

  // The loop.
  void run();
  void turn(Millis at_most);
  bool read();
  void sleep(Millis at_most);
  void tend();
  void deliver_mail();
  bool calls_allowed() const;
  // An order.
  Result<std::string> order(ToWorker what, std::string bytes, Bound how = Bound::usual);
  Result<std::string> order(ToWorker what, std::string bytes, Millis patience, Bound how);
  tl::unexpected<Error> hung(ToWorker what, Millis waited, Bound how);
  void log_abandoned(std::string_view what);
  tl::unexpected<Error> gone() const;
  // The worker's life.
  Result<Loaded> launch(Bound how);
  void start_again();
  Result<> start_again_to_stage();
  void reap(std::string_view why);
  void reap_quietly();

  const Options options_;
  InstanceHost& host_;
  Log& log_;
  const Clock& clock_;
  const UniqueFd doorbell_;  // an eventfd that no worker has
  const std::shared_ptr<Mailbox> mailbox_;
  CallQueue calls_;
  WorkerMetrics metrics_;
  RestartTimer restart_;

  Stage stage_ = Stage::closed;
  WorkSource* source_ = nullptr;            // null: it does not serve
  std::unique_ptr<WorkerProcess> process_;  // null: there is none
  std::string ended_by_;                    // what ended the last worker
  std::string service_;                     // its name, as configured until a worker has said it
  std::optional<Reply> reply_;              // to the order that is waited for
  bool end_expected_ = false;               // the end of the worker now is not logged
  unsigned busy_turns_ = 0;
  Thread thread_;
};

// Loads a plugin in a worker of its own, which ends again, to see what it has. [any]
Result<Loaded> describe(const std::filesystem::path& program, const Setup& setup,
                        std::shared_ptr<const Patience> stopping, Log& log);

}  // namespace triggerd::plugin::isolation
