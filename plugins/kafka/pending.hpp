// Messages that librdkafka has, until their delivery reports.
#pragma once

#include <list>
#include <mutex>
#include <trigger/plugin.hpp>
#include <utility>

namespace kafka {

// Any thread.
class Pending {
 public:
  struct Item {
    trigger::Completion completion;
    std::list<Item>::iterator self;
  };
  using Items = std::list<Item>;

  // The item stays where it is until it is taken: librdkafka keeps its address.
  Item* add(trigger::Completion completion) {
    Items one;
    one.push_back({std::move(completion), {}});
    one.front().self = one.begin();
    const std::lock_guard lock(mutex_);
    items_.splice(items_.end(), one);
    return &items_.back();
  }

  Items take(Item* item) {
    Items one;
    const std::lock_guard lock(mutex_);
    one.splice(one.end(), items_, item->self);
    return one;
  }

  Items take_all() {
    const std::lock_guard lock(mutex_);
    return std::exchange(items_, {});
  }

 private:
  std::mutex mutex_;
  Items items_;  // protected by mutex_
};

}  // namespace kafka
