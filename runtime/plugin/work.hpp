// What a generation's workers and its services need from whoever has messages: two small
// interfaces, implemented by trigger/. plugin/ does not know what a message is beyond the ABI.
#pragma once

#include <trigger/plugin.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/deferred.hpp"
#include "base/result.hpp"

namespace triggerd::plugin {

// A verdict as values, free of ABI memory. `code` is a TRIGGER_... code, not yet judged: what a
// service returned may be nonsense.
struct Answer {
  std::int32_t code = TRIGGER_RETRY;
  std::uint32_t retry_after_ms = 0;
  std::string reason;
};

// The most messages of one call of handle_batch.
inline constexpr std::size_t kMaxBatch = 256;

// A worker without a thread of its own: for a service that is brief it calls handle() on the thread
// that runs it, which has just read the message. It is of one instance, and ends with the workers
// of that: from then on run() does nothing, whoever still has it.
class InlineWorker : public Deferred::Work {
 public:
  // Whether it would call the service now. It would not once the service was not brief, nor for a
  // while after a call that took its time. [any]
  virtual bool willing() const = 0;
  // The service is not brief: it is called by workers alone, for all of its triggers, until its
  // plugin is loaded anew. False: that was known. [any]
  virtual bool give_up() = 0;
};

// Where workers get their messages.
class WorkSource {
 public:
  virtual ~WorkSource() = default;
  // Blocks until there is a message; nullptr once `stop` is requested. The message belongs to the
  // source and stays valid until answered() has been called for it, and after TRIGGER_PENDING until
  // complete() or revoke_all(). [worker]
  virtual const trigger_message* take(std::stop_token stop) = 0;
  // handle() has returned this for it. [worker]
  virtual void answered(const trigger_message& message, Answer answer) = 0;
  // Both: answered() for a message, and take() for the next one. [worker]
  virtual const trigger_message* exchange(const trigger_message& message, Answer answer,
                                          std::stop_token stop) {
    answered(message, std::move(answer));
    return take(std::move(stop));
  }

  // For a service with handle_batch, after take() has returned a message: adds those that may go
  // into the same call, each of another lane. Does not wait; a source that has no use for batches
  // adds none. The batch is bounded by the source. [worker]
  virtual void take_more(std::vector<const trigger_message*>& batch) { (void)batch; }
  // handle_batch() has left these, one for each message of its batch. [worker]
  virtual void batch_answered(std::span<const trigger_message* const> batch,
                              std::vector<Answer> answers) {
    for (std::size_t i = 0; i < batch.size(); ++i) answered(*batch[i], std::move(answers[i]));
  }

  // ---- For a service that is brief ----

  // Who may be run where a message was read; null: nobody, as there is none or it ends. A source
  // that has no use for it runs it never. [control]
  virtual void set_inline_worker(std::shared_ptr<InlineWorker> worker) {
    static_cast<void>(std::exchange(worker, nullptr));
  }
  // As take(), and does not wait; null: nothing more for this thread. [InlineWorker::run]
  virtual const trigger_message* take_inline() { return nullptr; }
  // At the end of every run, whether or not anything was taken. `too_long`: how long a call took
  // that was not brief. [InlineWorker::run]
  virtual void inline_over(std::optional<Monotonic::duration> too_long) {
    static_cast<void>(too_long);
  }

  // ---- For who has more to wait for than messages, and so cannot wait in take(). One caller. ----

  struct Taken {
    const trigger_message* message = nullptr;  // or &kProbe
    // Not begun yet: it is to be handled right after the one that was taken before it, and only if
    // that one comes to TRIGGER_OK. Its attempt begins with that answer, and is forgotten with any
    // other.
    bool follows = false;
  };
  // What may go now; where nothing may, the waker of listen() is called once something may. Up to
  // `ahead` messages follow the one that is being handled.
  virtual Taken poll(std::size_t ahead) {
    static_cast<void>(ahead);
    return {};
  }
  // `waker` is called on any thread, must not wait, and may be called for nothing. Empty: nobody
  // listens any more.
  virtual void listen(std::function<void()> waker) { static_cast<void>(std::exchange(waker, {})); }
  // Some call has not come back by its deadline. [any]
  virtual bool overdue() const { return false; }
  // Whoever had the messages is no more, and answers none of them.
  struct Loss {
    enum class Why {
      crashed,   // while it handled them
      not_begun  // the messages that are in its hands were not given to the service
    };
    Why why = Why::crashed;
    std::string reason{};  // for the attempts that this counts against
  };
  virtual void lost(const Loss& loss) { static_cast<void>(loss); }

  // What take() returns instead of a message to have the service's probe called: its address.
  static const trigger_message kProbe;
  // probe() has returned. [worker]
  virtual void probed(const Result<>& outcome) { (void)outcome; }
};

// What becomes of a publish: called exactly once, on any thread, unless publish() itself failed.
using PublishDone = std::function<void(std::int32_t code, std::string reason)>;

// The host functions of one instance, behind its trigger_host table. Every function may be called
// from [any] thread and returns a TRIGGER_... code.
class InstanceHost {
 public:
  virtual ~InstanceHost() = default;
  virtual std::int32_t complete(std::uint64_t token, Answer answer) = 0;
  virtual std::int32_t extend(std::uint64_t token, std::uint32_t ms) = 0;
  // `request` was checked for NULLs and sizes. `done` may be empty.
  virtual std::int32_t publish(const trigger_publish& request, PublishDone done) = 0;
};

}  // namespace triggerd::plugin
