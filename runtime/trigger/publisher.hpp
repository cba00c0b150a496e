// Where services publish: the connection of an alias, or its outbox, found by its name.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/mutex.hpp"
#include "mqtt/session/connection.hpp"
#include "outbox/outbox.hpp"

namespace triggerd::trigger {

// Thread-safe; publish() from any thread that may wait for Paho's lock, so not from its callbacks.
class Publisher {
 public:
  // `outbox` takes what has QoS 1 or 2; null: the connection does.
  void add(const std::string& alias, std::shared_ptr<mqtt::Connection> connection,
           std::shared_ptr<outbox::Outbox> outbox = nullptr);
  void remove(const std::string& alias);

  // Whether messages may be published with properties.
  bool speaks_mqtt5(std::string_view alias) const;
  // A TRIGGER_... code; `done` is called exactly once if it is TRIGGER_OK, else not at all.
  std::int32_t publish(std::string_view alias, const mqtt::PublishRequest& request,
                       mqtt::PublishDone done) const;

  // What became of everything published on this alias since the start.
  struct Counts {
    std::uint64_t ok = 0;
    std::uint64_t failed = 0;
  };
  Counts counts(std::string_view alias) const;

 private:
  // Outlives an alias that goes and comes back, and `done` of its last publish.
  struct Counters {
    std::atomic<std::uint64_t> ok{0};
    std::atomic<std::uint64_t> failed{0};
  };
  struct Entry {
    std::shared_ptr<mqtt::Connection> connection;  // null: not running now
    std::shared_ptr<outbox::Outbox> outbox;        // null: without
    std::shared_ptr<Counters> counters = std::make_shared<Counters>();
  };

  static std::int32_t publish_on(const Entry& entry, const mqtt::PublishRequest& request,
                                 mqtt::PublishDone done);

  mutable Mutex mutex_;
  std::map<std::string, Entry, std::less<>> entries_ TRIGGERD_GUARDED_BY(mutex_);
};

}  // namespace triggerd::trigger
