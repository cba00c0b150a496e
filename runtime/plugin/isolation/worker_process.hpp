// One worker process with everything that is its own: started, watched, reaped. What belongs to a
// process goes with it.
//
// [link], without a lock.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "plugin/isolation/child.hpp"
#include "plugin/isolation/doorbell.hpp"
#include "plugin/isolation/frames.hpp"
#include "plugin/isolation/message_feed.hpp"
#include "plugin/isolation/protocol.hpp"
#include "plugin/isolation/shared_memory.hpp"
#include "plugin/isolation/system_call_judge.hpp"
#include "plugin/isolation/worker_output.hpp"

namespace triggerd::plugin::isolation {

class WorkerProcess {
 public:
  // Runs `PROGRAM --worker`, which knows nothing yet. `setup`, `clock` and the receivers outlive
  // it.
  static Result<std::unique_ptr<WorkerProcess>> start(const std::filesystem::path& program,
                                                      const Setup& setup, const Clock& clock,
                                                      WorkerOutput::Receivers receivers);
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  pid_t pid() const { return child_.pid(); }
  MessageFeed& messages() { return messages_; }
  void send(ToWorker type, std::string bytes) {
    socket_.send(static_cast<std::uint32_t>(type), std::move(bytes));
  }
  // Asks for its metrics, unless it has not read what it was told before.
  void ask_for_metrics();
  // A reply may be as long as a saved state.
  void expect_state(bool expected) { state_expected_ = expected; }

  // Reads what it has written. True: there may be more.
  bool read(const WorkerOutput::Turn& turn);
  // Hands it messages of `source`.
  void feed(WorkSource& source);
  // Waits until it has written something or has ended, or `doorbell` is readable. Returns whether
  // that is. Judges a system call that waits.
  bool wait(int doorbell, Millis at_most);

  std::optional<Reply> take_reply() { return output_.take_reply(); }
  bool handled_a_message() const { return output_.handled_a_message(); }
  // It has ended, or will have in a moment.
  bool has_ended() const { return has_ended_ || output_.closed(); }
  // Why it has to be ended; empty: it need not be. `patience` is for a frame that it has begun.
  std::string fault(Millis patience);
  // Waits for it to end by itself. False: it has not, at `deadline`.
  bool wait_for_end(Monotonic deadline) const { return child_.wait(deadline, clock_); }
  // Kills it and all that it has started, and waits for it. One that has closed its socket gets a
  // moment to end by itself. Returns what ended it, in words. What it had written by then can still
  // be read.
  std::string kill();

 private:
  WorkerProcess(const Setup& setup, const Clock& clock, SharedMemory memory, UniqueFd socket,
                Doorbell doorbell, Child child, WorkerOutput::Receivers receivers);

  std::string memory_fault();
  std::string_view protocol_error() const;

  const Setup& setup_;
  const Clock& clock_;
  SharedMemory memory_;
  HostSocket socket_;
  Doorbell doorbell_;
  Child child_;
  MessageFeed messages_;
  WorkerOutput output_;
  std::optional<SystemCallJudge> judge_;
  Monotonic memory_checked_{};
  bool state_expected_ = false;
  bool has_ended_ = false;
};

}  // namespace triggerd::plugin::isolation
