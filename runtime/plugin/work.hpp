// What workers and services need from whoever has the messages, as interfaces. plugin/ knows of a
// message only what the ABI says.
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

// The verdict of a service, as values that own their memory. `code` is what the service returned,
// unchecked: it need not be a TRIGGER_... code.
struct Answer {
  std::int32_t code = TRIGGER_RETRY;
  std::uint32_t retry_after_ms = 0;
  std::string reason;
  // The service has not seen the message, since its content was not what the trigger asks for. With
  // TRIGGER_OK that is all: the message is filtered.
  bool unseen = false;
};

// The most messages in one call of handle_batch.
inline constexpr std::size_t kMaxBatch = 256;

// A worker without a thread of its own: it calls handle() of a brief service on the thread that
// runs it, which has just read the message. It belongs to one instance and ends with the workers of
// that; from then on run() does nothing.
class InlineWorker : public Deferred::Work {
 public:
  // Whether it would call the service now. It would not after the service has proved not to be
  // brief, nor for a while after a call that was not short. [any]
  virtual bool willing() const = 0;
  // The service is not brief: only workers with threads call it, for all of its triggers, until its
  // plugin is reloaded. False: that was known already. [any]
  virtual bool give_up() = 0;
};

// The source from which workers take messages.
class WorkSource {
 public:
  virtual ~WorkSource() = default;
  // Blocks until there is a message; returns nullptr once `stop` is requested. The message belongs
  // to the source. It stays valid until answered() has been called for it, and after
  // TRIGGER_PENDING until complete() or revoke_all(). [worker]
  virtual const trigger_message* take(std::stop_token stop) = 0;
  // handle() has returned this for it. [worker]
  virtual void answered(const trigger_message& message, Answer answer) = 0;
  // Calls answered() for a message, then take(). A source may do both more cheaply. [worker]
  virtual const trigger_message* exchange(const trigger_message& message, Answer answer,
                                          std::stop_token stop) {
    answered(message, std::move(answer));
    return take(std::move(stop));
  }

  // For a service with handle_batch, after take() has returned a message: adds messages that may go
  // into the same call, each of another lane. Does not wait. The source limits the batch; one that
  // does not support batches adds nothing. [worker]
  virtual void take_more(std::vector<const trigger_message*>& batch) { (void)batch; }
  // handle_batch() has returned these answers, one for each message of its batch. [worker]
  virtual void batch_answered(std::span<const trigger_message* const> batch,
                              std::vector<Answer> answers) {
    for (std::size_t i = 0; i < batch.size(); ++i) answered(*batch[i], std::move(answers[i]));
  }

  // The message as it was received, where `message` was made of it: what identifies it to others.
  virtual const trigger_message& as_received(const trigger_message& message) const {
    return message;
  }

  // ---- For a brief service ----

  // The worker that may be run on the thread that has read a message; null: there is none any more.
  // A source may ignore it. [control]
  virtual void set_inline_worker(std::shared_ptr<InlineWorker> worker) {
    static_cast<void>(std::exchange(worker, nullptr));
  }
  // As take(), but does not wait. Null: nothing more for this thread. [InlineWorker::run]
  virtual const trigger_message* take_inline() { return nullptr; }
  // Called at the end of every run, even if nothing was taken. `too_long` is how long a call took
  // that was not brief. [InlineWorker::run]
  virtual void inline_over(std::optional<Monotonic::duration> too_long) {
    static_cast<void>(too_long);
  }

  // ---- For a caller that cannot wait in take(), because it waits for more than messages. One
  // caller. ----

  struct Taken {
    const trigger_message* message = nullptr;  // or &kProbe
    // It is handled right after the message that was taken before it, and only if that is answered
    // with TRIGGER_OK. Its attempt begins with that answer; after any other it is as if it had not
    // been taken.
    bool follows = false;
  };
  // The next message that may go now. If none may, the waker of listen() is called once one may. Up
  // to `ahead` messages are handed out that follow the one that is being handled.
  virtual Taken poll(std::size_t ahead) {
    static_cast<void>(ahead);
    return {};
  }
  // `waker` is called on any thread, possibly for nothing, and must not wait. Empty: nobody listens
  // any more.
  virtual void listen(std::function<void()> waker) { static_cast<void>(std::exchange(waker, {})); }
  // Whether some call has not returned by its deadline. [any]
  virtual bool overrunning() const { return false; }
  // Whoever had the messages is gone and answers none of them.
  struct Loss {
    enum class Why {
      crashed,   // while the service handled messages
      not_begun  // the messages that it had were not given to the service
    };
    Why why = Why::crashed;
    std::string reason{};  // for the attempts that have failed with it
  };
  virtual void lost(const Loss& loss) { static_cast<void>(loss); }

  // Its address is what take() returns instead of a message to have the service's probe called.
  static const trigger_message kProbe;
  // probe() has returned. [worker]
  virtual void probed(const Result<>& outcome) { (void)outcome; }
};

// Reports the result of a publish: called exactly once, on any thread, unless publish() itself has
// failed.
using PublishDone = std::function<void(std::int32_t code, std::string reason)>;

// The host functions of one instance, behind its trigger_host table. Each returns a TRIGGER_...
// code. [any]
class InstanceHost {
 public:
  virtual ~InstanceHost() = default;
  virtual std::int32_t complete(std::uint64_t token, Answer answer) = 0;
  virtual std::int32_t extend(std::uint64_t token, std::uint32_t ms) = 0;
  // `request` was checked (request_check.hpp). `done` may be empty.
  virtual std::int32_t publish(const trigger_publish& request, PublishDone done) = 0;
};

}  // namespace triggerd::plugin
