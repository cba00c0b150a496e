// The keys of the messages that one trigger has handled lately, in memory: nobody waits for the
// disk to find out whether a message was handled before.
//
// They are kept in the order of handling, and forgotten in that order: when the window has passed,
// or when there are too many. A key takes about 40 bytes: 32 for itself, its time and its number,
// and the rest for the table by which it is found.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/clock.hpp"
#include "base/mutex.hpp"
#include "inbox/records.hpp"

namespace triggerd::inbox {

struct KeyLimits {
  Millis window{};      // for how long a key is remembered
  std::size_t max = 1;  // how many are; at most 2^31
};

// Thread-safe; its lock is a leaf. What a call costs does not depend on how many keys there are,
// except when the table grows.
class KeyList {
 public:
  // `id` names it in the file.
  KeyList(std::int64_t id, KeyLimits limits) : id_(id), limits_(limits) {}

  // A key of the file; they come in the order of their numbers, before anything is added.
  void restore(const HandledKey& key, Monotonic now);
  // Others from now on; no key is lost but those that are too many or too old.
  void set_limits(KeyLimits limits);

  bool has(const MessageKey& key, Monotonic now);
  struct Added {
    HandledKey row;                  // to be written
    bool is_first_too_many = false;  // the oldest one was forgotten for it, for the first time
  };
  Added add(const MessageKey& key, Monotonic now);

  // Rows that are of no use any more, up to a number, to be removed by the caller: some at a time.
  // nullopt: there are none.
  struct Removal {
    std::int64_t list = 0;
    std::int64_t up_to = 0;
  };
  std::optional<Removal> take_removal(Monotonic now);

  struct Stats {
    std::size_t keys = 0;
    std::uint64_t forgotten = 0;  // before their time: there were too many
  };
  Stats stats(Monotonic now);

 private:
  struct Handled {
    MessageKey key;
    Monotonic at;
    std::int64_t number;
  };

  bool is_over(const Handled& handled, Monotonic now) const TRIGGERD_REQUIRES(mutex_) {
    return now - handled.at >= limits_.window;
  }
  void append(const Handled& handled) TRIGGERD_REQUIRES(mutex_);
  void forget_first() TRIGGERD_REQUIRES(mutex_);
  void forget_old(Monotonic now, std::size_t most) TRIGGERD_REQUIRES(mutex_);
  // The slot that has the key, or the empty one where it would be put.
  std::size_t slot_of(const MessageKey& key) const TRIGGERD_REQUIRES(mutex_);
  const Handled& in_slot(std::size_t slot) const TRIGGERD_REQUIRES(mutex_);
  void clear_slot(std::size_t slot) TRIGGERD_REQUIRES(mutex_);
  void grow() TRIGGERD_REQUIRES(mutex_);

  const std::int64_t id_;
  Mutex mutex_;
  KeyLimits limits_ TRIGGERD_GUARDED_BY(mutex_);
  std::deque<Handled> keys_ TRIGGERD_GUARDED_BY(mutex_);
  // Counts keys for ever: that of the first one in `keys_`.
  std::uint32_t first_serial_ TRIGGERD_GUARDED_BY(mutex_) = 0;
  // Open addressing: a serial and 1, or 0 where there is none. A power of two of them.
  std::vector<std::uint32_t> slots_ TRIGGERD_GUARDED_BY(mutex_);
  std::size_t used_ TRIGGERD_GUARDED_BY(mutex_) = 0;  // of the slots
  std::int64_t last_number_ TRIGGERD_GUARDED_BY(mutex_) = 0;
  // Of the file: rows up to the first number are of no use any more, up to the second are removed.
  std::int64_t forgotten_to_ TRIGGERD_GUARDED_BY(mutex_) = 0;
  std::int64_t removed_to_ TRIGGERD_GUARDED_BY(mutex_) = 0;
  std::uint64_t too_many_ TRIGGERD_GUARDED_BY(mutex_) = 0;
  bool too_many_told_ TRIGGERD_GUARDED_BY(mutex_) = false;
};

}  // namespace triggerd::inbox
