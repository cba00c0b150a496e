#include "mqtt/publishes.hpp"

namespace triggerd::mqtt {

std::optional<std::uint64_t> Publishes::add(PublishDone done) {
  MutexLock lock(mutex_);
  if (waiting_.size() >= kCapacity) return std::nullopt;
  waiting_.emplace(++last_, std::move(done));
  return last_;
}

void Publishes::finish(std::uint64_t number, const Result<>& outcome) {
  PublishDone done;
  {
    MutexLock lock(mutex_);
    const auto found = waiting_.find(number);
    if (found == waiting_.end()) return;
    done = std::move(found->second);
    waiting_.erase(found);
  }
  if (done) done(outcome);
}

bool Publishes::withdraw(std::uint64_t number) {
  MutexLock lock(mutex_);
  return waiting_.erase(number) > 0;
}

bool Publishes::empty() const {
  MutexLock lock(mutex_);
  return waiting_.empty();
}

void Publishes::fail_all(const std::string& why) {
  std::map<std::uint64_t, PublishDone> failed;
  {
    MutexLock lock(mutex_);
    failed.swap(waiting_);
  }
  for (const auto& [number, done] : failed) {
    if (done) done(fail("{}", why));
  }
}

}  // namespace triggerd::mqtt
