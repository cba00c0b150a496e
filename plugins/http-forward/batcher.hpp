// Mode::batch: messages that wait while a request is in flight go together in the next one.
//
// One request at a time. So a single message is sent at once, and under load a batch has whatever
// arrived during the previous request, up to the limits in the settings and to `concurrency`, the
// number of messages that may wait for their verdicts.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <trigger/plugin.hpp>
#include <vector>

#include "client.hpp"
#include "settings.hpp"

namespace http_forward {

// A message that waits for its verdict.
struct Item {
  trigger::Message message;
  trigger::Completion completion;
  std::string event;
};
using Items = std::vector<Item>;

std::chrono::steady_clock::time_point deadline_of(const trigger::Message& message);

// Any thread.
class Batcher {
 public:
  Batcher(const Settings& settings, Client& client) : settings_(settings), client_(client) {}

  void add(Item item);
  // The client has stopped: gives up the waiting messages, which got no verdict, for a new start.
  Items clear();

 private:
  class Group;

  void ended(Items items, const Outcome& outcome);
  void send_next();
  Items take_next();

  // Constant after construction.
  const Settings& settings_;
  Client& client_;

  std::mutex mutex_;
  // Protected by mutex_.
  bool under_way_ = false;
  std::deque<Item> waiting_;
  std::deque<Items> halves_;  // of refused batches; these go first
};

}  // namespace http_forward
