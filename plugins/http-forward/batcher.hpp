// Mode::batch: messages that wait while a request is under way go together in the next.
//
// One request at a time. So a message that comes alone leaves at once, and under load a batch is as
// large as what came during the one before, up to the bounds of the settings and to `concurrency`,
// which is how many messages may wait for their verdict.
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
  // The client has stopped: gives up what waits, for a new start. Their verdict was not said.
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
  std::deque<Items> halves_;  // of batches that were refused; they go first
};

}  // namespace http_forward
