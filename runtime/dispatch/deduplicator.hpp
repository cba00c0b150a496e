// Sees to it that of the messages with one key only one is handled: which of them may go, which
// wait for another one, and which have nothing to wait for any more.
//
// A message claims its key with its first attempt, and has it until its end, over all retries. One
// with the same key that comes up meanwhile is parked, and its lane waits with it. A lane waits for
// a claim, and never a claim for a lane: whoever has a claim stands before all others of its lane.
#pragma once

#include <cstddef>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "dispatch/delivery.hpp"
#include "inbox/key_list.hpp"

namespace triggerd::dispatch {

// Guarded by its dispatcher's lock. Without keys every message may go.
class Deduplicator {
 public:
  void set_keys(std::shared_ptr<inbox::KeyList> keys) { keys_ = std::move(keys); }
  bool is_on() const { return keys_ != nullptr; }

  enum class Answer {
    go,      // it has its key, if it has one
    wait,    // another message with its key is under way: park() it
    handled  // so was one with its key
  };
  Answer ask(const Delivery& delivery, Monotonic now);
  // Only after Answer::wait.
  void park(DeliveryPtr delivery);

  // The message was handled. Returns those that waited for it: they are done with.
  struct End {
    std::vector<DeliveryPtr> parked;
    bool is_first_too_many = false;  // see KeyList
  };
  End handled(Delivery& delivery, Monotonic now);
  // It has come to another end. Returns those that waited: one of them goes instead.
  std::vector<DeliveryPtr> give_up(const Delivery& delivery);

  bool was_handled(const inbox::MessageKey& key, Monotonic now) const {
    return keys_ && keys_->has(key, now);
  }
  std::size_t parked() const { return parked_; }
  std::vector<DeliveryPtr> take_parked();
  template <class Visit>
  void for_each_parked(Visit&& visit) const {
    for (const auto& [key, claim] : claims_) {
      for (const DeliveryPtr& delivery : claim.parked) visit(delivery);
    }
  }
  inbox::KeyList::Stats stats(Monotonic now) const {
    return keys_ ? keys_->stats(now) : inbox::KeyList::Stats{};
  }

 private:
  struct Claim {
    const Delivery* by = nullptr;
    std::vector<DeliveryPtr> parked;
  };
  struct Hash {
    std::size_t operator()(const inbox::MessageKey& key) const;
  };

  std::shared_ptr<inbox::KeyList> keys_;
  std::unordered_map<inbox::MessageKey, Claim, Hash> claims_;
  std::size_t parked_ = 0;
};

}  // namespace triggerd::dispatch
