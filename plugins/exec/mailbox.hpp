// What other threads have for the thread that talks to the commands.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "item.hpp"
#include "process.hpp"

namespace exec_plugin {

// The result of a publish that a command wants to know.
struct PublishResult {
  std::uint64_t command;  // which one asked
  std::string id;
  std::int32_t code;
  std::string reason;
};

// Threads: post any; take the one thread that waits for ready() to be readable.
class Mailbox {
 public:
  Mailbox();

  void post(Item item);
  void post(PublishResult result);
  void wake();

  int ready() const { return event_.get(); }
  struct Mail {
    std::vector<Item> items;
    std::vector<PublishResult> results;
  };
  Mail take();

 private:
  Descriptor event_;
  std::mutex mutex_;
  Mail mail_;  // protected by mutex_
};

}  // namespace exec_plugin
