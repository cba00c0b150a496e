// The messages of one outbox that were not sent yet, in the order of publishing: the first of them
// in memory, the rest only in the inbox's file, however many these are. The outbox's lock guards
// it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "outbox/kept_publish.hpp"

namespace triggerd::outbox {

class Backlog {
 public:
  // In memory, at most. A server takes no more than a thousand at once, and fewer bytes
  // (outbox.cpp): what an earlier process has sent is among the first of its messages, and these
  // are all in the first page.
  static constexpr std::size_t kMessages = 2'000;
  static constexpr std::size_t kBytes = 16 << 20;

  // ---- What is published now ----

  // Behind all others. It stays in memory if there is room; else the writer alone has it, until it
  // is read again.
  void push(KeptPublishPtr message);
  // Before all others, in their order: they were sent on a connection that the server forgot.
  void put_back(const std::vector<KeptPublishPtr>& messages);
  // It has row `number`.
  void note_written(const KeptPublish& message, std::int64_t number);
  // The writer alone had it, and it gets no row: nobody wants it.
  void forget_behind(std::uint64_t messages = 1);

  // ---- What is to be sent ----

  bool empty() const { return queue_.empty(); }
  const KeptPublishPtr& front() const { return queue_.front(); }
  KeptPublishPtr pop();
  void remove(const KeptPublish& message);
  std::vector<KeptPublishPtr> take_all();
  std::vector<KeptPublishPtr> take_expired(Monotonic now);
  // None of them was sent: the server has no session of ours.
  void forget_that_sent();

  // ---- What is in the file alone ----

  // How many messages that are.
  std::uint64_t behind() const { return behind_; }
  // Some of them have rows, and are to be read, from after this number.
  bool wants_page() const {
    return behind_ > 0 && last_written_ > last_in_memory_ && queue_.size() < kMessages / 4;
  }
  std::int64_t last_in_memory() const { return last_in_memory_; }
  std::int64_t last_written() const { return last_written_; }
  // Those up to the last that is written are removed: nobody reads them.
  void skip_written() { last_in_memory_ = last_written_; }
  // What was read.
  void add_page(const std::vector<KeptPublishPtr>& page);
  // At the start: the file has `messages`, the last of them with number `last`.
  void begin(std::uint64_t messages, std::int64_t last) {
    behind_ = messages;
    last_written_ = last;
  }

 private:
  void append(KeptPublishPtr message);

  std::deque<KeptPublishPtr> queue_;
  std::size_t bytes_ = 0;            // of queue_
  std::uint64_t behind_ = 0;         // messages
  std::int64_t last_in_memory_ = 0;  // the highest number that was in memory
  std::int64_t last_written_ = 0;    // the highest number there is
};

}  // namespace triggerd::outbox
