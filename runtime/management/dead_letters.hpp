// Dead letters: messages that were rejected or ran out of attempts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "management/errors.hpp"

namespace triggerd::management {

struct DeadLetterFilter {
  std::string trigger;                  // empty: all triggers
  std::optional<Wall> since;            // died at this time or later
  std::optional<Wall> until;            // died before this time
  std::optional<std::int64_t> up_to{};  // has this number or a lower one
};

struct DeadLetterView {
  std::int64_t number = 0;
  std::string message_id;
  std::string trigger;
  std::string topic;
  std::string payload;  // only its beginning in a list
  std::uint64_t payload_size = 0;
  int qos = 0;
  bool retained = false;
  std::string reason;
  std::uint32_t attempts = 0;
  Wall received{};
  Wall died{};
  std::vector<std::pair<std::string, std::string>> user_properties;
};

struct DeadLetterPage {
  std::vector<DeadLetterView> dead_letters;  // newest first
  // What to pass as `before` for the next page; nullopt: this was the last one.
  std::optional<std::int64_t> next;
  std::uint64_t total = 0;  // dead letters that match the filter, on all pages
};

struct DeadLettersDone {
  std::uint64_t done = 0;
  std::uint64_t failed = 0;
  // The last error; if nothing failed but the call ended while it waited, what it waited for.
  std::string last_failure;
  // The `up_to` of the filter, or else the highest number that matched when the call began; 0:
  // nothing matched. A caller that continues with the rest passes it in the filter, so that a
  // message that has become a dead letter again in the meantime is not taken twice.
  std::int64_t up_to = 0;
};

// Reads and changes dead letters. Thread-safe. Each call reads or writes the inbox, which is on
// disk: usually a few milliseconds for each dead letter. replay_dead_letters() also waits while the
// queue of a trigger is full.
class DeadLetterControl {
 public:
  virtual ~DeadLetterControl() = default;

  // At most `limit` (1 to 1000) dead letters with a number below `before`, with at most
  // `payload_bytes` of each payload. An export reads all pages, with whole payloads.
  virtual Outcome<DeadLetterPage> dead_letters(const DeadLetterFilter& filter,
                                               std::optional<std::int64_t> before,
                                               std::size_t limit,
                                               std::size_t payload_bytes) const = 0;
  virtual Outcome<DeadLetterView> dead_letter(std::int64_t number) const = 0;
  virtual Outcome<> replay_dead_letter(std::int64_t number, const Actor& by) = 0;
  // Replays oldest first, so that the messages keep their order. `progress`, which may be empty, is
  // called after each dead letter, and again and again while the call waits. `done` counts those
  // that failed too. The call ends when `progress` returns false or the runtime stops.
  using Progress = std::function<bool(std::uint64_t done, std::uint64_t total)>;
  virtual Outcome<DeadLettersDone> replay_dead_letters(const DeadLetterFilter& filter,
                                                       const Actor& by,
                                                       const Progress& progress) = 0;
  // Replaces the topic, the payload or both; nullopt leaves that part as it is.
  virtual Outcome<> edit_dead_letter(std::int64_t number, const std::optional<std::string>& topic,
                                     const std::optional<std::string>& payload,
                                     const Actor& by) = 0;
  virtual Outcome<> drop_dead_letter(std::int64_t number, const Actor& by) = 0;
  virtual Outcome<DeadLettersDone> drop_dead_letters(const DeadLetterFilter& filter,
                                                     const Actor& by, const Progress& progress) = 0;
};

}  // namespace triggerd::management
