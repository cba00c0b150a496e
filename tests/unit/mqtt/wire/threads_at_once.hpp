// The library writes packets while workers release acknowledgements and the peer reads: whoever
// writes, the peer sees whole packets, and acknowledgements in the order of arrival.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.hpp"
#include "unit/mqtt/wire/dialled.hpp"
#include "unit/mqtt/wire/packets.hpp"

namespace triggerd::mqtt::wire::test {

// How the two ends of one connection, which holds acknowledgements, read and write.
struct Ends {
  std::shared_ptr<Link> link;
  Recorder& sink;
  int ours;
  int peer;
  // The library writes some of it; how much of it that was, 0 if none can be written now.
  std::function<std::size_t(std::string_view packet)> library_writes;
  std::function<bool(const std::string& packet)> peer_sends;  // false: not now
  std::function<std::string()> peer_reads;                    // what there is
};

class ThreadsAtOnce {
 public:
  explicit ThreadsAtOnce(Ends ends) : ends_(std::move(ends)) {}

  // On the thread of the test, which is the receive thread.
  void run() {
    ends_.sink.on_each = [this](Link&, const Got& got) {
      MutexLock lock(mutex_);
      ready_.push_back(got.ticket);
    };
    std::vector<std::thread> threads;
    threads.emplace_back([this] { library(); });
    for (int i = 0; i < 3; ++i) threads.emplace_back([this] { worker(); });
    threads.emplace_back([this] { peer(); });
    EXPECT_TRUE(polls_until(ends_.ours, [this] { return done_.load(); }));
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(ids_.size(), kPackets);
    for (std::size_t i = 0; i < kPackets; ++i) ASSERT_EQ(ids_[i], static_cast<int>(i) + 1);
  }

 private:
  static constexpr std::size_t kPackets = 400;

  bool goes_on() const { return !done_ && Clock::now() < until_; }

  static void wait_for(int fd, short events, int ms) {
    pollfd waited{.fd = fd, .events = events, .revents = 0};
    ::poll(&waited, 1, ms);
  }

  void library() {
    BodySizes sizes;
    while (goes_on()) {
      const std::string packet = packet_of(sizes.next());
      for (std::size_t at = 0; at < packet.size() && goes_on();) {
        const std::size_t written = ends_.library_writes(std::string_view(packet).substr(at));
        if (written == 0) wait_for(ends_.ours, POLLOUT, 5);
        at += written;
      }
    }
  }

  void worker() {
    while (goes_on()) {
      std::vector<AckQueue::Ticket> mine;
      {
        MutexLock lock(mutex_);
        mine.swap(ready_);
      }
      std::reverse(mine.begin(), mine.end());
      for (const auto ticket : mine) {
        ends_.link->release(AckKind::puback, ticket);
        ends_.link->flush();
      }
      std::this_thread::yield();
    }
  }

  void peer() {
    std::string stream;
    std::size_t sent = 0;
    while (ids_.size() < kPackets && Clock::now() < until_) {
      for (int i = 0; i < 5 && sent < kPackets; ++i) {
        const auto id = static_cast<std::uint16_t>(sent + 1);
        if (!ends_.peer_sends(
                packet::encode(packet::Publish{.topic = "t", .qos = 1, .packet_id = id}))) {
          break;
        }
        ++sent;
      }
      wait_for(ends_.peer, POLLIN, 20);
      stream += ends_.peer_reads();
      if (!only_whole_packets(stream, ids_)) {
        ADD_FAILURE() << "a packet was split after acknowledgement " << ids_.size();
        break;
      }
    }
    done_ = true;
  }

  const Ends ends_;
  const Clock::time_point until_ = Clock::now() + kBound;
  std::atomic<bool> done_{false};
  std::vector<int> ids_;  // the peer's, until it has ended
  Mutex mutex_;
  std::vector<AckQueue::Ticket> ready_ TRIGGERD_GUARDED_BY(mutex_);
};

}  // namespace triggerd::mqtt::wire::test
