// Hands the runtime's events to every client that listens, on one thread and with one subscription,
// so that ten consoles cost message handling no more than one. Without a client there is no
// subscription, and events cost nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "admin/event_stream.hpp"
#include "base/mutex.hpp"
#include "management/events.hpp"

namespace triggerd::admin {

class EventStreamer {
 public:
  static constexpr std::size_t kStreams = 32;
  static constexpr std::size_t kCapacity = 4'096;  // events that may wait for the thread

  explicit EventStreamer(management::EventSource& events);
  ~EventStreamer();
  EventStreamer(const EventStreamer&) = delete;
  EventStreamer& operator=(const EventStreamer&) = delete;

  // A stream of all events from now on. Null: there are kStreams already, or it has been stopped.
  // [any]
  std::shared_ptr<EventStream> open(EventChoice choice);
  // Closes all streams and ends the thread.
  void stop();

 private:
  void run();
  // Makes the subscription match what the listeners want; without listeners, ends it.
  void adapt();
  void hand_out(const management::AdminEvent& event);
  std::vector<std::shared_ptr<EventStream>> listeners();

  management::EventSource& events_;

  Mutex mutex_;
  CondVar wake_;
  CondVar adapted_;
  bool stopping_ TRIGGERD_GUARDED_BY(mutex_) = false;
  std::uint64_t wanted_ TRIGGERD_GUARDED_BY(mutex_) = 0;  // how many streams were opened
  std::uint64_t done_ TRIGGERD_GUARDED_BY(mutex_) = 0;    // the wanted_ that adapt() has dealt with
  std::vector<std::shared_ptr<EventStream>> streams_ TRIGGERD_GUARDED_BY(mutex_);

  // Owned by the thread.
  std::unique_ptr<management::Subscription> subscription_;
  std::unique_ptr<management::Subscription> former_;  // the one before, until it is empty
  bool has_messages_ = false;
  std::uint64_t last_number_ = 0;
  std::uint64_t dropped_ = 0;

  std::thread thread_;
};

}  // namespace triggerd::admin
