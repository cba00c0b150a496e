// The source of a worker's messages, which it reads from the ring and the socket, and the host
// behind its services' trigger_host tables (host_caller.hpp).
//
// While there are more messages in the ring, the host is not woken for each verdict, because it
// looks by itself; it is woken after the last one.
//
// A lock of its own for messages. It is not held while the host is called or written to.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/mutex.hpp"
#include "plugin/isolation/frames.hpp"
#include "plugin/isolation/host_caller.hpp"
#include "plugin/isolation/host_writer.hpp"
#include "plugin/isolation/protocol.hpp"
#include "plugin/isolation/shared_memory.hpp"
#include "plugin/work.hpp"

namespace triggerd::plugin::isolation {

class WorkerSide final : public WorkSource, public InstanceHost {
 public:
  // All of these outlive it. `doorbell` is the eventfd that wakes the host.
  WorkerSide(SharedLayout& shared, WorkerSocket& socket, int doorbell, const Clock& clock);

  // Called before anything runs.
  void serve(std::string trigger, std::chrono::nanoseconds timeout);

  // WorkSource [worker]
  const trigger_message* take(std::stop_token stop) override;
  void answered(const trigger_message& message, Answer answer) override;
  void take_more(std::vector<const trigger_message*>& batch) override;
  void probed(const Result<>& outcome) override;
  // InstanceHost [any]
  std::int32_t complete(std::uint64_t token, Answer answer) override;
  std::int32_t extend(std::uint64_t token, std::uint32_t ms) override {
    return caller_.extend(token, ms);
  }
  std::int32_t publish(const trigger_publish& request, PublishDone done) override {
    return caller_.publish(request, std::move(done));
  }

  // A message that was too long for the ring. [reader]
  void arrived(std::string message);
  // The result of a publish. [reader]
  void published(Published published) { caller_.published(std::move(published)); }
  // Drops messages that no worker has taken; the host gives them again. No worker runs. [main]
  void discard();
  // The instance was stopped, so that nobody reads a message any more. [main]
  void forget_messages();

 private:
  using Owned = std::unique_ptr<OwnedMessage>;

  std::uint64_t now_ns() const;
  const trigger_message* next() TRIGGERD_REQUIRES(mutex_);
  void recycle(Owned message) TRIGGERD_REQUIRES(mutex_);
  bool nothing_waits() TRIGGERD_EXCLUDES(mutex_);

  SharedLayout& shared_;
  const Clock& clock_;
  HostWriter to_host_;
  HostCaller caller_;
  std::string trigger_;
  std::chrono::nanoseconds timeout_{0};

  Mutex mutex_;
  CondVar arrived_;
  RingReader ring_ TRIGGERD_GUARDED_BY(mutex_);
  std::string scratch_ TRIGGERD_GUARDED_BY(mutex_);
  std::deque<std::string> long_ones_ TRIGGERD_GUARDED_BY(mutex_);
  // By token: messages that were answered with TRIGGER_PENDING, until complete() has returned; and
  // those for which it has returned before that answer.
  std::unordered_map<std::uint64_t, Owned> pending_ TRIGGERD_GUARDED_BY(mutex_);
  std::unordered_set<std::uint64_t> completed_early_ TRIGGERD_GUARDED_BY(mutex_);
  std::uint64_t answered_ns_ TRIGGERD_GUARDED_BY(mutex_) = 0;  // 0: it has waited since then
  std::vector<Owned> spare_ TRIGGERD_GUARDED_BY(mutex_);
  const trigger_message* kept_ TRIGGERD_GUARDED_BY(mutex_) = nullptr;  // could not go in a batch
  bool last_was_ok_ TRIGGERD_GUARDED_BY(mutex_) = true;
};

}  // namespace triggerd::plugin::isolation
