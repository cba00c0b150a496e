// The host's end of one worker: the thread that starts it, feeds it, hears it, buries it and starts
// it again.
//
// Everything here is [link]: the link thread runs it, and so nothing needs a lock. Others come in
// by call(), which runs a function on the link thread and waits; by the doorbell, which the
// dispatcher rings when there may be work; and by the mailbox, to which results of publishes go.
//
// A worker that ends while nobody asked it to: its attempts are given up (WorkSource::lost), and
// another one is started after a delay that doubles with every worker that has handled nothing.
#pragma once

#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/backoff.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/mutex.hpp"
#include "base/result.hpp"
#include "plugin/instance/life_call.hpp"
#include "plugin/isolation/child.hpp"
#include "plugin/isolation/frames.hpp"
#include "plugin/isolation/protocol.hpp"
#include "plugin/isolation/shared_memory.hpp"
#include "plugin/process/thread.hpp"
#include "plugin/work.hpp"

namespace triggerd::plugin::isolation {

class Mailbox;

class Link {
 public:
  struct Options {
    std::filesystem::path program;  // this one, for `PROGRAM --worker`
    Setup setup;
    Millis patience{30'000};                     // for what a worker is told to do
    std::shared_ptr<const Patience> stopping{};  // less, once the runtime stops; may be null
    Backoff restarts{.min = Millis(50), .max = Millis(30'000), .factor = 2.0};
    Random random;
  };
  // `host` and `log` outlive it. It has a thread from the beginning, and no worker yet.
  static Result<std::unique_ptr<Link>> make(Options options, InstanceHost& host, Log& log);
  // Ends the worker, if there is one.
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  // Runs it on the link thread and waits for it. [any but link]
  void call(const std::function<void()>& task);
  // What the service counts, over all its workers. [any but link]
  std::vector<Metric> metrics();

  // ---- Orders, each carried out when it returns. [link] ----

  // The code of an error that a living worker answered with.
  static constexpr int kRefused = 1;
  // The code of an error that says itself which call of which service it is about.
  static constexpr int kHung = 2;

  // Starts a worker, has it load and create.
  Result<Loaded> open();
  Result<> start();
  Result<> serve(WorkSource& source);
  // Nothing more is taken from the source, and no attempt is in the worker's hands but pending
  // ones.
  void end_serving(Monotonic deadline);
  void stop();
  Result<std::optional<SavedState>> save();
  Result<> restore(const SavedState& state);
  // Ends the worker: in good order where it goes, and else at once.
  void close(bool in_good_order);

 private:
  struct Process;
  enum class Stage { closed, created, started, serving };

  Link(Options options, InstanceHost& host, Log& log, UniqueFd doorbell);

  void run();
  void run_tasks();
  bool has_tasks();
  void turn(Millis at_most);
  void sleep(Millis at_most);
  Result<Loaded> launch(bool again);
  enum class Bound { usual, impatient, deadline };
  Result<std::string> order(ToWorker order, std::string bytes, Millis patience,
                            Bound how = Bound::usual);
  void bury_quietly();
  void start_again();
  void tend();
  void watch_memory();
  // From the worker.
  bool hear();
  void hear_ring(std::uint32_t type, const std::string& record);
  void hear_frame(const Frame& frame);
  void hear_call(ToHost type, const std::string& bytes);
  void hear_confined();
  void answer(std::uint32_t place, std::int32_t code);
  void hear_verdict(const std::string& record);
  std::int32_t publish(const Publish& call);
  void keep_metrics(const std::string& bytes);
  // To the worker.
  void feed();
  bool send(const trigger_message& message, bool follows);
  bool ring(ToWorker type, std::string_view record);
  std::size_t ahead() const;
  void deliver_mail();
  // Its end.
  void bury(const std::string& why);
  void fold_metrics();

  const Options options_;
  InstanceHost& host_;
  Log& log_;
  const UniqueFd doorbell_;
  const std::shared_ptr<Mailbox> mailbox_;

  Stage stage_ = Stage::closed;
  WorkSource* source_ = nullptr;
  std::unique_ptr<Process> process_;
  unsigned failures_ = 0;  // workers in a row that have handled nothing
  Monotonic start_again_at_ = Monotonic::max();
  std::string ended_by_;  // what ended the last worker
  std::string service_;   // its name, once a worker has said it
  std::optional<Reply> reply_;
  unsigned busy_turns_ = 0;
  bool quiet_end_ = false;     // its end is no news
  std::uint64_t busy_ns_ = 0;  // of a message, on average; 0: not known
  std::string record_;
  std::string out_record_;

  Mutex mutex_;
  CondVar done_;
  struct Task {
    const std::function<void()>* run;
    bool done = false;
  };
  std::deque<Task*> tasks_ TRIGGERD_GUARDED_BY(mutex_);
  bool ending_ TRIGGERD_GUARDED_BY(mutex_) = false;
  bool metrics_wanted_ TRIGGERD_GUARDED_BY(mutex_) = false;
  std::uint64_t metrics_told_ TRIGGERD_GUARDED_BY(mutex_) = 0;
  bool has_worker_ TRIGGERD_GUARDED_BY(mutex_) = false;
  std::vector<Metric> metrics_now_ TRIGGERD_GUARDED_BY(mutex_);     // of this worker
  std::vector<Metric> metrics_before_ TRIGGERD_GUARDED_BY(mutex_);  // of those before
  Thread thread_;
};

// Loads a plugin in a worker of its own, which ends again, to see what it has. [any]
Result<Loaded> describe(const std::filesystem::path& program, const Setup& setup,
                        std::shared_ptr<const Patience> stopping, Log& log);

}  // namespace triggerd::plugin::isolation
