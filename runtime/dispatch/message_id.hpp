// Message ids: the same over all attempts of a message, unique over all runtimes and restarts.
#pragma once

#include <cstdint>
#include <string>

#include "base/mutex.hpp"

namespace triggerd::dispatch {

// 15 letters and digits, which a std::string holds without an allocation: nine drawn at random for
// this run, and a counter of six. Thread-safe.
class MessageIds {
 public:
  MessageIds();
  std::string next();

 private:
  void draw_prefix() TRIGGERD_REQUIRES(mutex_);

  Mutex mutex_;
  std::string last_ TRIGGERD_GUARDED_BY(mutex_);
};

}  // namespace triggerd::dispatch
