// The publishes of one connection that the server has not confirmed yet, and those that wait for
// their turn.
//
// A server takes only so many messages of QoS 1 and 2 before the first of them is confirmed. One of
// MQTT 5 says how many (Receive Maximum); one of 3.1.1 does not, and some drop what is more without
// a word, or answer it and drop it. So there is a window: what goes beyond it waits here, in its
// order, and leaves as others are confirmed.
//
//     begin()     goes now, or waits for next()
//     next()      the first that waits and may go now; whoever got `true` from claim() calls it
//                 until it gives none
//     finish()    the outcome of one that went
//     expire()    what has waited too long is told so, and never goes
//
// Whatever the MQTT library does, each is told its outcome once: confirmed, or failed. Any thread;
// outcomes are told without a lock held.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.hpp"
#include "mqtt/mqtt.hpp"

namespace triggerd::mqtt {

// A publish that owns what its request points to.
class HeldPublish {
 public:
  explicit HeldPublish(const PublishRequest& request);
  HeldPublish(const HeldPublish&) = delete;
  HeldPublish& operator=(const HeldPublish&) = delete;

  const PublishRequest& request() const { return request_; }
  std::size_t bytes() const { return bytes_.size(); }
  // What one of this request would have.
  static std::size_t bytes_of(const PublishRequest& request);

 private:
  std::string bytes_;  // topic, payload, and the names and values of the properties
  std::vector<Property> properties_;
  PublishRequest request_;
};

class Publishes {
 public:
  // Of all, those that wait included.
  static constexpr std::size_t kCapacity = 1000;
  // What those that wait may hold in memory; a single one may be larger.
  static constexpr std::size_t kWaitingBytes = 16 << 20;
  // Where neither the server nor the configuration says otherwise: what mosquitto takes, and others
  // at least.
  static constexpr std::size_t kDefaultWindow = 20;

  struct Begun {
    std::uint64_t number = 0;
    bool waits = false;
  };
  // nullopt: there are too many under way.
  std::optional<Begun> begin(const PublishRequest& request, PublishDone done, Monotonic now);

  // Whether something that waits may go now. True is told to one caller at a time, who calls next()
  // until it gives none.
  [[nodiscard]] bool claim();
  struct Next {
    std::uint64_t number;
    std::unique_ptr<HeldPublish> publish;
  };
  std::optional<Next> next(Monotonic now);  // what is past its time is left to expire()
  // Instead: what waits has to wait on.
  void give_back();

  // Tells the outcome, where it has not been told yet.
  void finish(std::uint64_t number, const Result<>& outcome);
  // Forgets it untold. False: it was told already.
  bool withdraw(std::uint64_t number);
  void expire(Monotonic now);
  // Those that have not gone.
  void fail_waiting(const std::string& why);
  void fail_all(const std::string& why);

  // How many messages of QoS 1 and 2 may be in flight.
  void set_window(std::size_t window);
  std::size_t window() const;
  bool empty() const;
  std::size_t waiting() const;
  // Since when nothing has gone although something waits; nullopt where nothing waits.
  std::optional<Monotonic> held_since() const;

 private:
  struct Entry {
    PublishDone done;
    bool in_flight = false;  // it has a place of the window
    Monotonic deadline{};
    std::unique_ptr<HeldPublish> waiting = nullptr;
  };
  using Entries = std::map<std::uint64_t, Entry>;

  bool has_room() const TRIGGERD_REQUIRES(mutex_) { return in_flight_ < window_; }
  Entry take_out(Entries::iterator at) TRIGGERD_REQUIRES(mutex_);

  mutable Mutex mutex_;
  Entries entries_ TRIGGERD_GUARDED_BY(mutex_);
  std::deque<std::uint64_t> queue_ TRIGGERD_GUARDED_BY(mutex_);  // of those that wait; or are gone
  std::size_t waiting_ TRIGGERD_GUARDED_BY(mutex_) = 0;
  std::size_t waiting_bytes_ TRIGGERD_GUARDED_BY(mutex_) = 0;
  std::size_t window_ TRIGGERD_GUARDED_BY(mutex_) = kDefaultWindow;
  std::size_t in_flight_ TRIGGERD_GUARDED_BY(mutex_) = 0;
  bool claimed_ TRIGGERD_GUARDED_BY(mutex_) = false;
  std::uint64_t last_ TRIGGERD_GUARDED_BY(mutex_) = 0;
  Monotonic last_went_ TRIGGERD_GUARDED_BY(mutex_){};
};

}  // namespace triggerd::mqtt
