// Dead letters: messages that are not tried again by themselves.
//
// Threads: any. What changes them takes the inbox's lock, and is on the disk when it returns. What
// reads them has a connection of its own, so that nobody who writes waits for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "inbox/records.hpp"

namespace triggerd::inbox {

class InboxFile;

class DeadLetters {
 public:
  explicit DeadLetters(InboxFile& file) : file_(file) {}

  // ---- Under the inbox's lock ----

  // Adds one and removes the message that it was, in one transaction, and returns its number. `row`
  // returns the number of that message; it is called within the transaction, when no message is
  // being written.
  Result<std::int64_t> add(const DeadLetter& letter,
                           const std::function<std::optional<std::int64_t>()>& row = {});
  // Changes its topic and payload.
  Result<> edit(std::int64_t number, std::string_view topic, std::string_view payload);
  Result<> drop(std::int64_t number);
  // Makes it a message of its trigger again, with the same message id, no attempts and no expiry.
  // nullopt: there is no such dead letter.
  Result<std::optional<StoredMessage>> replay(std::int64_t number);

  // ---- Under the reader's lock; of a payload only the first `payload_bytes` are read ----

  // One page: the first `limit` with a number above `beyond` (oldest first) or below it (newest
  // first).
  Result<std::vector<DeadLetter>> page(const DeadLetterSelection& selection, std::int64_t beyond,
                                       bool oldest_first, std::size_t limit,
                                       std::size_t payload_bytes = SIZE_MAX);
  // The newest ones, newest first; of one trigger unless `trigger` is empty.
  Result<std::vector<DeadLetter>> newest(const std::string& trigger, std::size_t limit) {
    return page({.trigger = trigger}, INT64_MAX, false, limit);
  }
  Result<std::optional<DeadLetter>> find(std::int64_t number, std::size_t payload_bytes = SIZE_MAX);
  Result<std::uint64_t> count(const DeadLetterSelection& selection);

 private:
  InboxFile& file_;
};

}  // namespace triggerd::inbox
