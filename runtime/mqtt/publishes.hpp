// The publishes of one connection that the server has not confirmed yet, and those that wait for
// their turn.
//
// A server takes only so many messages of QoS 1 and 2 before the first of them is confirmed. With
// MQTT 5 it says how many (Receive Maximum). With 3.1.1 it does not, and some servers drop what is
// beyond that without a word, or confirm it and drop it. So there is a window: what goes beyond it
// waits here, in order, and leaves as others are confirmed.
//
//     begin()     the publish goes now, or waits for next()
//     next()      the first that waits and may go now; whoever got `true` from claim() calls it
//                 until it gives none
//     finish()    the outcome of one that went
//     expire()    fails those that have waited too long, and they never go
//
// Whatever the MQTT library does, the outcome of each is told once: confirmed, or failed. Any
// thread, with a lock of its own; outcomes are told without it.
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
  // What one for this request would hold.
  static std::size_t bytes_of(const PublishRequest& request);

 private:
  std::string bytes_;  // topic, payload, and the names and values of the properties
  std::vector<Property> properties_;
  PublishRequest request_;
};

class Publishes {
 public:
  // How many there may be, including those that wait.
  static constexpr std::size_t kCapacity = 1000;
  // How much memory those that wait may hold; a single one may be larger.
  static constexpr std::size_t kWaitingBytes = 16 << 20;
  // Unless the server or the configuration says otherwise: what mosquitto takes, and others take at
  // least as much.
  static constexpr std::size_t kDefaultWindow = 20;

  struct Begun {
    std::uint64_t number = 0;
    bool waits = false;
  };
  // nullopt: there are too many under way.
  std::optional<Begun> begin(const PublishRequest& request, PublishDone done, Monotonic now);

  // Whether something that waits may go now. Only one caller at a time gets true, and calls next()
  // until it gives none.
  [[nodiscard]] bool claim();
  struct Next {
    std::uint64_t number;
    std::unique_ptr<HeldPublish> publish;
  };
  std::optional<Next> next(Monotonic now);  // leaves what is past its time to expire()
  // Instead of calling next(): what waits goes on waiting.
  void give_back();

  // Tells the outcome, unless it has been told already.
  void finish(std::uint64_t number, const Result<>& outcome);
  // Forgets it, and its outcome is never told. False: it was told already.
  bool withdraw(std::uint64_t number);
  void expire(Monotonic now);
  // Fails those that have not gone.
  void fail_waiting(const std::string& why);
  void fail_all(const std::string& why);

  // How many messages of QoS 1 and 2 may be in flight.
  void set_window(std::size_t window);
  std::size_t window() const;
  bool empty() const;
  std::size_t waiting() const;
  // When the last one went, while something waits; nullopt: nothing waits.
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
