// Publisher: one client of libmosquitto that publishes every numbered message exactly once and
// knows which of them the server has acknowledged.
//
// Why a number that triggerd gets twice at QoS 2 is not this publisher's doing:
//   - each number is handed to mosquitto_publish() once, whatever that returns: once it has been
//     called the library has queued the message and sends it when it can;
//   - it is one client object over all reconnects, with clean_session = false: the library sends an
//     unfinished PUBLISH again under the same packet id, or PUBREL where it has PUBREC;
//   - no more are unfinished at once than the library sends at once, so no message waits in its
//     queue, and a packet id comes round again only long after it was finished;
//   - the server is stopped by SIGTERM and saves its sessions then, those packet ids included. That
//     it did is seen: each CONNACK but the first has to say that the session is present.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/clock.hpp"
#include "base/mutex.hpp"
#include "soak/numbered.hpp"

struct mosquitto;

namespace triggerd::soak {

struct PublisherOptions {
  std::uint16_t port = 0;  // on loopback
  unsigned streams = 1;    // of each QoS
  unsigned qos1 = 0;       // messages
  unsigned qos2 = 0;
  Millis span{0};  // for all of them, in bursts
};

// Threads: one of its own; every function may be called from any other.
class Publisher {
 public:
  // The server is there. Throws where it cannot be reached.
  explicit Publisher(const PublisherOptions& options);
  ~Publisher();
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  bool all_published() const { return published_ == messages_.size(); }
  std::vector<Numbered> acknowledged() const;
  std::size_t acknowledged_count() const { return acknowledged_count_; }
  std::size_t total() const { return messages_.size(); }
  unsigned reconnects() const { return connects_ - 1; }
  // What must not happen, in words; empty while it has not.
  std::string fault() const;

 private:
  struct Callbacks;
  struct Deleter {
    void operator()(mosquitto* client) const;
  };

  void run();
  void publish_what_is_due();
  std::size_t due() const;
  void set_fault(const std::string& fault);

  const PublisherOptions options_;
  std::vector<Numbered> messages_;  // constant after construction
  const std::unique_ptr<mosquitto, Deleter> client_;

  // The thread's own.
  bool connected_ = false;
  std::unordered_map<int, std::size_t> unfinished_;  // packet id -> index in messages_
  Monotonic began_{};

  std::atomic<bool> stop_{false};
  std::atomic<std::size_t> published_{0};
  std::atomic<std::size_t> acknowledged_count_{0};
  std::atomic<unsigned> connects_{0};

  mutable Mutex mutex_;
  std::vector<bool> acknowledged_ TRIGGERD_GUARDED_BY(mutex_);
  std::string fault_ TRIGGERD_GUARDED_BY(mutex_);

  std::thread thread_;
};

}  // namespace triggerd::soak
