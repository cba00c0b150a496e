// Makes dead letters of one trigger's messages: a row in the inbox, and a copy on the trigger's
// dead_letter_topic if it has one.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "config/config_fwd.hpp"
#include "dispatch/delivery.hpp"
#include "inbox/dead_letters.hpp"
#include "trigger/publisher.hpp"

namespace triggerd::trigger {

// Thread-safe, with no lock of its own: the inbox and the publisher have theirs.
class DeadLetterWriter {
 public:
  // All outlive it.
  DeadLetterWriter(const config::Trigger& config, inbox::DeadLetters& dead_letters,
                   const Publisher& publisher, const Clock& clock, Log& log)
      : config_(config),
        dead_letters_(dead_letters),
        publisher_(publisher),
        clock_(clock),
        log_(log) {}

  // Waits for the disk, and returns the dead letter's number. [any thread that may wait]
  Result<std::int64_t> write(const dispatch::Delivery& delivery, const std::string& reason);
  // `with_properties`: those of the message, for a server that speaks MQTT 5. [as write()]
  void publish(const dispatch::Delivery& delivery, bool with_properties) const;
  // Written so far. [any]
  std::uint64_t written() const { return written_; }

 private:
  const config::Trigger& config_;
  inbox::DeadLetters& dead_letters_;
  const Publisher& publisher_;
  const Clock& clock_;
  Log& log_;
  std::atomic<std::uint64_t> written_{0};
};

}  // namespace triggerd::trigger
