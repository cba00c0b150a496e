#include "plugin/isolation/host_caller.hpp"

#include <utility>

namespace triggerd::plugin::isolation {
namespace {

constexpr std::int64_t kWaitNs = 1'000'000'000;  // then it looks again, in case a wake-up was lost

}  // namespace

HostCaller::HostCaller(SharedLayout& shared, WorkerSocket& socket, HostWriter& writer)
    : shared_(shared), socket_(socket), writer_(writer) {
  for (std::uint32_t place = 0; place < kCallPlaces; ++place) free_places_.push_back(place);
}

std::uint32_t HostCaller::take_place() {
  const MutexLock lock(mutex_);
  while (free_places_.empty()) place_free_.wait(mutex_);
  const std::uint32_t place = free_places_.back();
  free_places_.pop_back();
  return place;
}

void HostCaller::give_back(std::uint32_t place) {
  const MutexLock lock(mutex_);
  free_places_.push_back(place);
  place_free_.notify_one();
}

std::int32_t HostCaller::call(ToHost type,
                              const std::function<std::string(std::uint32_t)>& encoded) {
  const std::uint32_t place = take_place();
  CallPlace& answer = shared_.calls[place];
  answer.answered.store(0);
  const std::string record = encoded(place);
  if (record.size() > longest_frame(static_cast<std::uint32_t>(type), false)) {
    give_back(place);
    return TRIGGER_E_INVALID;
  }
  if (record.size() <= writer_.longest()) {
    writer_.write(type, record);
    writer_.wake_host();
  } else {
    socket_.send(static_cast<std::uint32_t>(type), record);
  }
  while (answer.answered.load(std::memory_order_acquire) == 0) {
    wait_while(answer.answered, 0, kWaitNs);
  }
  const std::int32_t code = answer.code.load(std::memory_order_relaxed);
  give_back(place);
  return code;
}

std::int32_t HostCaller::complete(std::uint64_t token, Answer answer) {
  return call(ToHost::complete, [&](std::uint32_t place) {
    return encode(Complete{.place = place, .token = token, .answer = std::move(answer)});
  });
}

std::int32_t HostCaller::extend(std::uint64_t token, std::uint32_t ms) {
  return call(ToHost::extend, [&](std::uint32_t place) {
    return encode(Extend{.place = place, .token = token, .ms = ms});
  });
}

std::int32_t HostCaller::publish(const trigger_publish& request, PublishDone done) {
  std::uint64_t id = 0;
  if (done) {
    const MutexLock lock(mutex_);
    id = ++last_publish_;
    publishes_.emplace(id, std::move(done));
  }
  const std::int32_t code =
      call(ToHost::publish, [&](std::uint32_t place) { return encode(place, id, request); });
  if (code != TRIGGER_OK && id != 0) {
    const MutexLock lock(mutex_);
    publishes_.erase(id);
  }
  return code;
}

void HostCaller::published(Published published) {
  PublishDone done;
  {
    const MutexLock lock(mutex_);
    const auto found = publishes_.find(published.id);
    if (found == publishes_.end()) return;
    done = std::move(found->second);
    publishes_.erase(found);
  }
  done(published.code, std::move(published.reason));
}

}  // namespace triggerd::plugin::isolation
