#include "admin/event_streamer.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "admin/json.hpp"
#include "admin/workers.hpp"

namespace triggerd::admin {
namespace {

// How long a change of who listens may go unnoticed while no event comes.
constexpr Millis kLook{25};

}  // namespace

EventStreamer::EventStreamer(management::EventSource& events)
    : events_(events), thread_([this] { run(); }) {}

EventStreamer::~EventStreamer() {
  stop();
}

std::shared_ptr<EventStream> EventStreamer::open(EventChoice choice) {
  const MutexLock lock(mutex_);
  std::erase_if(streams_, [](const auto& stream) { return stream->closed(); });
  if (stopping_ || streams_.size() >= kStreams) return nullptr;
  auto stream = std::make_shared<EventStream>(std::move(choice));
  streams_.push_back(stream);
  const std::uint64_t mine = ++wanted_;
  wake_.notify_all();
  // Whoever has its answer hears of everything that happens after it.
  while (!stopping_ && done_ < mine) adapted_.wait(mutex_);
  return stream;
}

void EventStreamer::stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    for (const auto& stream : streams_) stream->close();
    wake_.notify_all();
    adapted_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

std::vector<std::shared_ptr<EventStream>> EventStreamer::listeners() {
  const MutexLock lock(mutex_);
  std::erase_if(streams_, [](const auto& stream) { return stream->closed(); });
  return streams_;
}

void EventStreamer::adapt() {
  std::uint64_t wanted = 0;
  bool messages = false;
  bool anybody = false;
  {
    const MutexLock lock(mutex_);
    std::erase_if(streams_, [](const auto& stream) { return stream->closed(); });
    wanted = wanted_;
    anybody = !streams_.empty();
    for (const auto& stream : streams_) messages |= stream->choice().wants_messages();
  }
  if (!anybody) {
    subscription_.reset();
    former_.reset();
  } else if (!subscription_ || messages != has_messages_) {
    management::EventFilter filter;
    filter.messages = messages;
    auto next = events_.subscribe(filter, kCapacity);
    // What the former one still has comes first; what both have is told once, by its number.
    former_ = std::move(subscription_);
    subscription_ = std::move(next);
    has_messages_ = messages;
    dropped_ = 0;
  }
  const MutexLock lock(mutex_);
  done_ = wanted;
  adapted_.notify_all();
}

void EventStreamer::hand_out(const management::AdminEvent& event) {
  if (event.number <= last_number_) return;
  last_number_ = event.number;
  std::string text;
  for (const auto& stream : listeners()) {
    if (!stream->choice().wants(event)) continue;
    if (text.empty()) {
      text = fmt::format("id: {}\nevent: {}\ndata: {}\n\n", event.number, event.kind,
                         dump(to_json(event)));
    }
    stream->offer(text);
  }
}

void EventStreamer::run() {
  become_background("admin-events");
  for (;;) {
    adapt();
    if (!subscription_) {
      const MutexLock lock(mutex_);
      while (!stopping_ && streams_.empty()) wake_.wait(mutex_);
      if (stopping_) return;
      continue;
    }
    if (former_) {
      while (const auto event = former_->next(Monotonic{})) hand_out(*event);
      former_.reset();
    }
    if (const auto event = subscription_->next(system_clock().now() + kLook)) {
      hand_out(*event);
      // What waits besides, without looking around after each.
      for (std::size_t i = 0; i < kCapacity; ++i) {
        const auto more = subscription_->next(Monotonic{});
        if (!more) break;
        hand_out(*more);
      }
    }
    if (const std::uint64_t dropped = subscription_->dropped(); dropped > dropped_) {
      for (const auto& stream : listeners()) stream->missed(dropped - dropped_);
      dropped_ = dropped;
    }
    const bool ended = subscription_->ended();
    const MutexLock lock(mutex_);
    if (ended) {
      for (const auto& stream : streams_) stream->close();
    }
    if (stopping_) return;
  }
}

}  // namespace triggerd::admin
