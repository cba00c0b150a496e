// Message ids: the same over all attempts of a message, unique over all runtimes and restarts.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace triggerd::trigger {

// 16 hexadecimal digits drawn at random for this run, a dash, and a counter. Thread-safe.
class MessageIds {
 public:
  MessageIds();
  std::string next();

 private:
  const std::string prefix_;
  std::atomic<std::uint64_t> count_{0};
};

}  // namespace triggerd::trigger
