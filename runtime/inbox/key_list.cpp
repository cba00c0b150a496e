#include "inbox/key_list.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace triggerd::inbox {
namespace {

constexpr std::size_t kFirstSlots = 64;
constexpr std::uint32_t kSerials = 0x7fff'ffff;  // they are counted modulo this and 1
// Whoever asks does not wait until all that is too old is forgotten.
constexpr std::size_t kForgetAtOnce = 64;
constexpr std::size_t kForgetForStats = 65'536;
// Nor does a transaction of the writer remove all at once.
constexpr std::int64_t kRemoveAtOnce = 1'024;

std::size_t hash_of(const MessageKey& key) {
  std::uint64_t hash = 0;  // it is a digest: any part of it does
  std::memcpy(&hash, key.data(), sizeof hash);
  return hash;
}

}  // namespace

// ---- The table ----

const KeyList::Handled& KeyList::in_slot(std::size_t slot) const {
  return keys_[(slots_[slot] - 1 - first_serial_) & kSerials];
}

std::size_t KeyList::slot_of(const MessageKey& key) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = hash_of(key) & mask;
  while (slots_[slot] != 0 && in_slot(slot).key != key) slot = (slot + 1) & mask;
  return slot;
}

// What had to give way to it moves up, so that it is found.
void KeyList::clear_slot(std::size_t slot) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t empty = slot;
  for (std::size_t next = (empty + 1) & mask; slots_[next] != 0; next = (next + 1) & mask) {
    const std::size_t home = hash_of(in_slot(next).key) & mask;
    if (((next - home) & mask) < ((next - empty) & mask)) continue;
    slots_[empty] = slots_[next];
    empty = next;
  }
  slots_[empty] = 0;
  --used_;
}

void KeyList::grow() {
  if (!slots_.empty() && (used_ + 1) * 4 <= slots_.size() * 3) return;
  const std::vector<std::uint32_t> before = std::move(slots_);
  slots_.assign(std::max(kFirstSlots, before.size() * 2), 0);
  for (const std::uint32_t serial : before) {
    if (serial == 0) continue;
    const Handled& handled = keys_[(serial - 1 - first_serial_) & kSerials];
    slots_[slot_of(handled.key)] = serial;
  }
}

// ---- In their order ----

// A key that is there already is found as the newer one from now on.
void KeyList::append(const Handled& handled) {
  grow();
  const auto serial = static_cast<std::uint32_t>((first_serial_ + keys_.size()) & kSerials);
  const std::size_t slot = slot_of(handled.key);
  if (slots_[slot] == 0) ++used_;
  keys_.push_back(handled);
  slots_[slot] = serial + 1;
  last_number_ = handled.number;
}

void KeyList::forget_first() {
  const std::size_t slot = slot_of(keys_.front().key);
  if (slots_[slot] == first_serial_ + 1) clear_slot(slot);
  forgotten_to_ = keys_.front().number;
  keys_.pop_front();
  first_serial_ = (first_serial_ + 1) & kSerials;
}

void KeyList::forget_old(Monotonic now, std::size_t most) {
  for (; most > 0 && !keys_.empty() && is_over(keys_.front(), now); --most) forget_first();
}

// ---- What is asked ----

void KeyList::restore(const HandledKey& key, Monotonic now) {
  MutexLock lock(mutex_);
  if (last_number_ == 0) forgotten_to_ = removed_to_ = key.number - 1;
  // A clock that was set while nobody looked does not make it last longer than the window.
  const Handled handled{key.key, std::min(key.handled, now), key.number};
  last_number_ = key.number;
  if (keys_.empty() && is_over(handled, now)) {
    forgotten_to_ = key.number;
    return;
  }
  append(handled);
  if (keys_.size() > limits_.max) forget_first();
}

void KeyList::set_limits(KeyLimits limits) {
  MutexLock lock(mutex_);
  limits_ = limits;
  too_many_told_ = false;
  while (keys_.size() > limits_.max) forget_first();
}

bool KeyList::has(const MessageKey& key, Monotonic now) {
  MutexLock lock(mutex_);
  forget_old(now, kForgetAtOnce);
  if (slots_.empty()) return false;
  const std::size_t slot = slot_of(key);
  return slots_[slot] != 0 && !is_over(in_slot(slot), now);
}

KeyList::Added KeyList::add(const MessageKey& key, Monotonic now) {
  MutexLock lock(mutex_);
  forget_old(now, kForgetAtOnce);
  Added added;
  if (keys_.size() >= limits_.max) {
    if (!is_over(keys_.front(), now)) {
      ++too_many_;
      added.is_first_too_many = !std::exchange(too_many_told_, true);
    }
    forget_first();
  }
  append({key, now, last_number_ + 1});
  added.row = {.list = id_, .number = last_number_, .key = key, .handled = now};
  if (forgotten_to_ > removed_to_) {
    removed_to_ = std::min(forgotten_to_, removed_to_ + kRemoveAtOnce);
    added.row.forget_to = removed_to_;
  }
  return added;
}

std::optional<KeyList::Removal> KeyList::take_removal(Monotonic now) {
  MutexLock lock(mutex_);
  forget_old(now, kForgetForStats);
  if (forgotten_to_ <= removed_to_) return std::nullopt;
  removed_to_ = std::min(forgotten_to_, removed_to_ + kRemoveAtOnce);
  return Removal{.list = id_, .up_to = removed_to_};
}

KeyList::Stats KeyList::stats(Monotonic now) {
  MutexLock lock(mutex_);
  forget_old(now, kForgetForStats);
  return {.keys = keys_.size(), .forgotten = too_many_};
}

}  // namespace triggerd::inbox
