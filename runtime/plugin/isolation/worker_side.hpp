// The worker's end of the rings: where its services get their messages, and the host that stands
// behind their trigger_host tables.
//
// A call of a host function (complete, extend, publish) waits for the code that the host writes to
// its place. Verdicts do not wait, and while more messages are in the ring already, the host is not
// woken for each: it looks by itself, and is woken with the last one.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/mutex.hpp"
#include "plugin/isolation/frames.hpp"
#include "plugin/isolation/protocol.hpp"
#include "plugin/isolation/shared_memory.hpp"
#include "plugin/work.hpp"

namespace triggerd::plugin::isolation {

class WorkerSide final : public WorkSource, public InstanceHost {
 public:
  WorkerSide(SharedLayout& shared, WorkerSocket& socket, int doorbell);

  // Before anything runs.
  void serve(std::string trigger, std::chrono::nanoseconds timeout);

  // WorkSource [worker]
  const trigger_message* take(std::stop_token stop) override;
  void answered(const trigger_message& message, Answer answer) override;
  void take_more(std::vector<const trigger_message*>& batch) override;
  void probed(const Result<>& outcome) override;
  // InstanceHost [any]
  std::int32_t complete(std::uint64_t token, Answer answer) override;
  std::int32_t extend(std::uint64_t token, std::uint32_t ms) override;
  std::int32_t publish(const trigger_publish& request, PublishDone done) override;

  // A message that was too long for the ring. [reader]
  void arrived(std::string message);
  // What became of a publish. [reader]
  void published(Published published);
  // No worker runs: what they have not taken goes back to the host. [main]
  void discard();
  // The instance was stopped: nobody reads a message any more. [main]
  void forget_messages();

 private:
  using Owned = std::unique_ptr<OwnedMessage>;

  const trigger_message* next() TRIGGERD_REQUIRES(mutex_);
  void recycle(Owned message) TRIGGERD_REQUIRES(mutex_);
  bool nothing_waits() TRIGGERD_EXCLUDES(mutex_);
  void write(ToHost type, std::string_view record);
  void knock();
  std::int32_t call(ToHost type, const std::function<std::string(std::uint32_t)>& encoded);

  SharedLayout& shared_;
  WorkerSocket& socket_;
  const int doorbell_;
  std::string trigger_;
  std::chrono::nanoseconds timeout_{0};

  Mutex mutex_;
  CondVar arrived_;
  RingReader ring_ TRIGGERD_GUARDED_BY(mutex_);
  std::string scratch_ TRIGGERD_GUARDED_BY(mutex_);
  std::deque<std::string> long_ones_ TRIGGERD_GUARDED_BY(mutex_);
  // By token: those that were answered with TRIGGER_PENDING, until complete() has returned; and
  // those for which it has before that answer.
  std::unordered_map<std::uint64_t, Owned> pending_ TRIGGERD_GUARDED_BY(mutex_);
  std::unordered_set<std::uint64_t> completed_early_ TRIGGERD_GUARDED_BY(mutex_);
  std::uint64_t answered_ns_ TRIGGERD_GUARDED_BY(mutex_) = 0;  // 0: it has waited since
  std::vector<Owned> spare_ TRIGGERD_GUARDED_BY(mutex_);
  const trigger_message* kept_ TRIGGERD_GUARDED_BY(mutex_) = nullptr;  // it did not go in a batch
  bool last_was_ok_ TRIGGERD_GUARDED_BY(mutex_) = true;

  Mutex out_mutex_;
  RingWriter out_ TRIGGERD_GUARDED_BY(out_mutex_);
  std::string record_ TRIGGERD_GUARDED_BY(out_mutex_);

  Mutex calls_mutex_;
  CondVar place_free_;
  std::vector<std::uint32_t> free_places_ TRIGGERD_GUARDED_BY(calls_mutex_);
  std::uint64_t last_publish_ TRIGGERD_GUARDED_BY(calls_mutex_) = 0;
  std::unordered_map<std::uint64_t, PublishDone> publishes_ TRIGGERD_GUARDED_BY(calls_mutex_);
};

}  // namespace triggerd::plugin::isolation
