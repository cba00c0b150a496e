// A log for a runtime within the test's process.
#pragma once

#include <memory>
#include <vector>

#include "support/capture_log.hpp"

namespace triggerd::test {

// Kept to the end of the process: the MQTT library's threads may still have something to say when
// the test is over.
inline CaptureLog& kept_log() {
  static auto* const all = new std::vector<std::unique_ptr<CaptureLog>>;
  return *all->emplace_back(std::make_unique<CaptureLog>());
}

}  // namespace triggerd::test
