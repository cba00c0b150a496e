#include "mqtt/publishes.hpp"

#include <fmt/format.h>

#include "base/units.hpp"

namespace triggerd::mqtt {

HeldPublish::HeldPublish(const PublishRequest& request)
    : properties_(request.properties.begin(), request.properties.end()), request_(request) {
  bytes_.reserve(bytes_of(request));  // so that it does not move while it is filled
  const auto keep = [this](std::string_view text) {
    bytes_.append(text);
    return std::string_view(bytes_).substr(bytes_.size() - text.size());
  };
  request_.topic = keep(request.topic);
  const std::string_view payload =
      keep({reinterpret_cast<const char*>(request.payload.data()), request.payload.size()});
  request_.payload = {reinterpret_cast<const std::uint8_t*>(payload.data()), payload.size()};
  for (Property& property : properties_) {
    property.name = keep(property.name);
    property.value = keep(property.value);
  }
  request_.properties = properties_;
}

std::size_t HeldPublish::bytes_of(const PublishRequest& request) {
  std::size_t bytes = request.topic.size() + request.payload.size();
  for (const Property& property : request.properties) {
    bytes += property.name.size() + property.value.size();
  }
  return bytes;
}

std::optional<Publishes::Begun> Publishes::begin(const PublishRequest& request, PublishDone done,
                                                 Monotonic now) {
  MutexLock lock(mutex_);
  if (entries_.size() >= kCapacity) return std::nullopt;
  Entry entry{.done = std::move(done), .deadline = now + request.wait_limit};
  // What is handed to the library by next() at this moment must not be overtaken either.
  const bool waits = request.qos > 0 && (claimed_ || waiting_ > 0 || !has_room());
  if (waits) {
    const std::size_t bytes = HeldPublish::bytes_of(request);
    if (waiting_ > 0 && waiting_bytes_ + bytes > kWaitingBytes) return std::nullopt;
    entry.waiting = std::make_unique<HeldPublish>(request);
    waiting_bytes_ += bytes;
    ++waiting_;
    queue_.push_back(last_ + 1);
  } else if (request.qos > 0) {
    entry.in_flight = true;
    ++in_flight_;
    last_went_ = now;
  }
  entries_.emplace(++last_, std::move(entry));
  return Begun{.number = last_, .waits = waits};
}

bool Publishes::claim() {
  MutexLock lock(mutex_);
  if (claimed_ || waiting_ == 0 || !has_room()) return false;
  claimed_ = true;
  return true;
}

std::optional<Publishes::Next> Publishes::next(Monotonic now) {
  MutexLock lock(mutex_);
  while (has_room() && !queue_.empty()) {
    const std::uint64_t number = queue_.front();
    queue_.pop_front();
    const auto found = entries_.find(number);
    if (found == entries_.end()) continue;
    Entry& entry = found->second;
    if (entry.deadline <= now) continue;  // expire() says so
    waiting_bytes_ -= entry.waiting->bytes();
    --waiting_;
    entry.in_flight = true;
    ++in_flight_;
    last_went_ = now;
    return Next{.number = number, .publish = std::move(entry.waiting)};
  }
  claimed_ = false;
  return std::nullopt;
}

void Publishes::give_back() {
  MutexLock lock(mutex_);
  claimed_ = false;
}

Publishes::Entry Publishes::take_out(Entries::iterator at) {
  Entry entry = std::move(at->second);
  entries_.erase(at);
  if (entry.in_flight) --in_flight_;
  if (entry.waiting) {
    waiting_bytes_ -= entry.waiting->bytes();
    if (--waiting_ == 0) queue_.clear();
  }
  return entry;
}

void Publishes::finish(std::uint64_t number, const Result<>& outcome) {
  PublishDone done;
  {
    MutexLock lock(mutex_);
    const auto found = entries_.find(number);
    if (found == entries_.end()) return;
    done = take_out(found).done;
  }
  if (done) done(outcome);
}

bool Publishes::withdraw(std::uint64_t number) {
  Entry withdrawn;
  MutexLock lock(mutex_);
  const auto found = entries_.find(number);
  if (found == entries_.end()) return false;
  withdrawn = take_out(found);
  return true;
}

void Publishes::expire(Monotonic now) {
  std::vector<PublishDone> expired;
  std::size_t in_flight = 0;
  {
    MutexLock lock(mutex_);
    in_flight = in_flight_;
    for (auto at = entries_.begin(); at != entries_.end();) {
      const auto here = at++;
      if (!here->second.waiting || here->second.deadline > now) continue;
      expired.push_back(take_out(here).done);
    }
  }
  for (const PublishDone& done : expired) {
    if (!done) continue;
    done(
        fail("it was not sent in time, because the server has not confirmed the {} messages "
             "before it",
             in_flight));
  }
}

void Publishes::fail_waiting(const std::string& why) {
  std::vector<PublishDone> failed;
  {
    MutexLock lock(mutex_);
    for (auto at = entries_.begin(); at != entries_.end();) {
      const auto here = at++;
      if (here->second.waiting) failed.push_back(take_out(here).done);
    }
  }
  for (const PublishDone& done : failed) {
    if (done) done(fail("{}", why));
  }
}

void Publishes::fail_all(const std::string& why) {
  Entries failed;
  {
    MutexLock lock(mutex_);
    failed.swap(entries_);
    queue_.clear();
    waiting_ = 0;
    waiting_bytes_ = 0;
    in_flight_ = 0;
  }
  for (const auto& [number, entry] : failed) {
    if (entry.done) entry.done(fail("{}", why));
  }
}

void Publishes::set_window(std::size_t window) {
  MutexLock lock(mutex_);
  window_ = window;
}

std::size_t Publishes::window() const {
  MutexLock lock(mutex_);
  return window_;
}

bool Publishes::empty() const {
  MutexLock lock(mutex_);
  return entries_.empty();
}

std::size_t Publishes::waiting() const {
  MutexLock lock(mutex_);
  return waiting_;
}

std::optional<Monotonic> Publishes::held_since() const {
  MutexLock lock(mutex_);
  if (waiting_ == 0) return std::nullopt;
  return last_went_;
}

}  // namespace triggerd::mqtt
