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
  std::string trigger;                  // empty: all
  std::optional<Wall> since;            // died then or later
  std::optional<Wall> until;            // died before
  std::optional<std::int64_t> up_to{};  // with this number or a lower one
};

struct DeadLetterView {
  std::int64_t number = 0;
  std::string message_id;
  std::string trigger;
  std::string topic;
  std::string payload;  // of a list: its beginning
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
  std::uint64_t total = 0;  // that the filter lets through
};

struct DeadLettersDone {
  std::uint64_t done = 0;
  std::uint64_t failed = 0;
  std::string last_failure;  // or why it had to wait
  // The highest number at the beginning; 0: there was none. Whoever goes on with the rest puts it
  // into the filter: a message that becomes a dead letter again meanwhile is not taken twice.
  std::int64_t up_to = 0;
};

// Reads and changes dead letters. Thread-safe: each call reads or writes the inbox, which is on a
// disk: usually a few milliseconds for each dead letter.
class DeadLetterControl {
 public:
  virtual ~DeadLetterControl() = default;

  // At most `limit` (1 to 1000) of those with a number below `before`, with at most `payload_bytes`
  // of each payload. An export is all pages with their whole payloads.
  virtual Outcome<DeadLetterPage> dead_letters(const DeadLetterFilter& filter,
                                               std::optional<std::int64_t> before,
                                               std::size_t limit,
                                               std::size_t payload_bytes) const = 0;
  virtual Outcome<DeadLetterView> dead_letter(std::int64_t number) const = 0;
  virtual Outcome<> replay_dead_letter(std::int64_t number, const Actor& by) = 0;
  // Oldest first, so that their order is kept. `progress`, which may be empty, is called after each
  // of them with how many are done of how many, and ends the call by returning false.
  using Progress = std::function<bool(std::uint64_t done, std::uint64_t total)>;
  virtual Outcome<DeadLettersDone> replay_dead_letters(const DeadLetterFilter& filter,
                                                       const Actor& by,
                                                       const Progress& progress) = 0;
  // nullopt: leaves that part as it is.
  virtual Outcome<> edit_dead_letter(std::int64_t number, const std::optional<std::string>& topic,
                                     const std::optional<std::string>& payload,
                                     const Actor& by) = 0;
  virtual Outcome<> drop_dead_letter(std::int64_t number, const Actor& by) = 0;
  virtual Outcome<DeadLettersDone> drop_dead_letters(const DeadLetterFilter& filter,
                                                     const Actor& by, const Progress& progress) = 0;
};

}  // namespace triggerd::management
