// The receive thread between two packets: poll, its wake-ups, the end of a batch, and sleep.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <memory>
#include <vector>

#include "mqtt/wire/receiver.hpp"
#include "unit/mqtt/wire_support.hpp"

namespace triggerd::mqtt::wire::test {
namespace {

// Polls until bytes are there, over wake-ups that concern somebody else.
bool becomes_readable(int fd) {
  const auto until = Clock::now() + kBound;
  while (Clock::now() < until) {
    if ((library_polls(fd, 10'000) & POLLIN) != 0) return true;
  }
  return false;
}

TEST(WireReceiver, ABatchEndsOnceAndNotWhileBytesAreBuffered) {
  on_own_thread([] {
    const Pair pair;
    const Pair idle;
    int ends = 0;
    int idle_ends = 0;
    pair.link()->on_batch_end([&] { ++ends; });
    idle.link()->on_batch_end([&] { ++idle_ends; });
    pollfd both[] = {{.fd = idle.ours(), .events = POLLIN, .revents = 0},
                     {.fd = pair.ours(), .events = POLLIN, .revents = 0}};
    for (int batch = 1; batch <= 3; ++batch) {
      pair.peer_sends("abc");
      ASSERT_TRUE(becomes_readable(pair.ours()));
      EXPECT_EQ(library_reads(pair.ours(), 1), "a");
      // Bytes are buffered, so the system has nothing to say.
      const auto before = Clock::now();
      EXPECT_EQ(__wrap_poll(both, 2, kBoundMs), 1);
      EXPECT_LT(Clock::now() - before, kBound / 2);
      EXPECT_EQ(both[0].revents, 0);
      EXPECT_EQ(both[1].revents, POLLIN);
      EXPECT_EQ(ends, batch - 1);
      EXPECT_EQ(library_reads(pair.ours(), 2), "bc");
      EXPECT_EQ(ends, batch - 1);
      EXPECT_EQ(__wrap_poll(both, 2, 0), 0);
      EXPECT_EQ(ends, batch);
      EXPECT_EQ(__wrap_poll(both, 2, 0), 0);
      EXPECT_EQ(ends, batch);
    }
    EXPECT_EQ(idle_ends, 0);
  });
}

// The library sees only after its wait for bytes that a connection is established.
TEST(WireReceiver, AConnectionIsShownToTheLibraryAtOnceAndNotForEver) {
  on_own_thread([] {
    const Pair pair;
    pair.link();
    forget_wakes();
    const auto before = Clock::now();
    EXPECT_EQ(library_polls(pair.ours(), kBoundMs), 0) << "there is nothing to read";
    EXPECT_LT(Clock::now() - before, kBound / 2);
    int looks = 1;
    for (; looks < 100; ++looks) {
      const auto began = Clock::now();
      EXPECT_EQ(library_polls(pair.ours(), 20), 0);
      if (Clock::now() - began >= std::chrono::milliseconds(20)) break;
    }
    EXPECT_LT(looks, 100) << "a server that is slow to answer costs no processor time";
  });
}

TEST(WireReceiver, ABatchEndsWithItsConnection) {
  on_own_thread([] {
    Pair pair;
    int ends = 0;
    pair.link()->on_batch_end([&] { ++ends; });
    pair.peer_sends("abc");
    ASSERT_TRUE(becomes_readable(pair.ours()));
    library_reads(pair.ours(), 1);
    pair.close_ours();
    EXPECT_EQ(ends, 0);
    forget_wakes();
    EXPECT_EQ(ends, 1);
  });
}

TEST(WireReceiver, TheEndOfABatchSendsWhatItReleased) {
  on_own_thread([] {
    const Pair pair;
    const auto link = pair.link();
    Gate::Ticket ticket = 0;
    link->on_batch_end([&] { link->release(AckKind::puback, ticket); });
    pair.peer_sends("m");
    ASSERT_TRUE(becomes_readable(pair.ours()));
    library_reads(pair.ours(), 1);
    EXPECT_EQ(current(), link);
    ticket = link->hold({AckKind::puback, 6});
    library_writes(pair.ours(), puback(6));
    EXPECT_EQ(pair.peer_has(), "");
    EXPECT_EQ(library_polls(pair.ours(), 0), 0);
    EXPECT_EQ(pair.peer_gets(4), puback(6));
  });
}

TEST(WireReceiver, APauseMasksTheDescriptorAndResumeEndsTheWait) {
  on_own_thread([] {
    const Pair pair;
    const auto link = pair.link();
    link->pause();
    pair.peer_sends("x");
    EXPECT_EQ(library_polls(pair.ours(), 30), 0);
    EXPECT_EQ(library_polls(pair.ours(), 30), 0);
    const auto before = Clock::now();
    std::thread other([&] { link->resume(); });
    EXPECT_TRUE(becomes_readable(pair.ours()));
    other.join();
    EXPECT_LT(Clock::now() - before, 5s);
    EXPECT_EQ(library_reads(pair.ours(), 1), "x");
  });
}

TEST(WireReceiver, APauseKeepsWhatIsBuffered) {
  on_own_thread([] {
    const Pair pair;
    const auto link = pair.link();
    pair.peer_sends("xyz");
    ASSERT_TRUE(becomes_readable(pair.ours()));
    EXPECT_EQ(library_reads(pair.ours(), 1), "x");
    link->pause();
    EXPECT_EQ(library_polls(pair.ours(), 0), 0);
    EXPECT_EQ(library_polls(pair.ours(), 30), 0);
    std::thread other([&] { link->resume(); });
    const auto before = Clock::now();
    EXPECT_TRUE(becomes_readable(pair.ours()));
    other.join();
    EXPECT_LT(Clock::now() - before, 5s);
    EXPECT_EQ(library_reads(pair.ours(), 2), "yz");
  });
}

TEST(WireReceiver, AWakeFromAnotherThreadEndsAPoll) {
  on_own_thread([] {
    const Pair pair;
    pair.link();
    forget_wakes();
    for (int i = 0; i < 20; ++i) {
      const auto before = Clock::now();
      std::thread other(wake_receiver);
      EXPECT_EQ(library_polls(pair.ours(), kBoundMs), 0);
      other.join();
      EXPECT_LT(Clock::now() - before, kBound / 2);
    }
  });
}

TEST(WireReceiver, ANewConnectionEndsAPoll) {
  on_own_thread([] {
    const Pair pair;
    pair.link();
    forget_wakes();
    const auto before = Clock::now();
    std::thread other([] { const Pair connected(Pair::Kind::tcp); });
    EXPECT_EQ(library_polls(pair.ours(), kBoundMs), 0);
    other.join();
    EXPECT_LT(Clock::now() - before, kBound / 2);
  });
}

TEST(WireReceiver, WhoMayWriteIsKnownOfAnEstablishedConnection) {
  on_own_thread([] {
    const Pair pair(Pair::Kind::local, 4608);
    pair.link();
    pair.fill();
    EXPECT_EQ(library_polls(pair.ours(), 0), 0);
    EXPECT_EQ(library_polls(pair.ours(), 0, POLLOUT), 0);  // asked of the system: it is full
    pair.peer_sends("x");
    ASSERT_TRUE(becomes_readable(pair.ours()));
    library_reads(pair.ours(), 1);
    EXPECT_EQ(library_polls(pair.ours(), 0, POLLOUT), POLLOUT);
    pair.peer_has();
    ASSERT_GT(library_writes(pair.ours(), std::string(1'000'000, 'p')), 0);
    ASSERT_TRUE(pair.link()->library_waits());
    EXPECT_EQ(library_polls(pair.ours(), 0, POLLOUT), 0);
  });
}

TEST(WireReceiver, WhatIsNotOursIsPolledAsByTheSystem) {
  on_own_thread([] {
    int ends[2] = {-1, -1};
    ASSERT_EQ(::pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    forget_wakes();
    EXPECT_EQ(library_polls(ends[0], 0), 0);
    ASSERT_EQ(::write(ends[1], "x", 1), 1);
    EXPECT_TRUE(becomes_readable(ends[0]));
    ::close(ends[1]);
    ::close(ends[0]);
    EXPECT_EQ(library_polls(ends[0], 0), POLLNVAL);
  });
}

TEST(WireReceiver, SleepOnTheReceiveThreadEndsWithBytes) {
  on_own_thread([] {
    const Pair pair;
    pair.link();
    pair.peer_sends("hello");  // an established connection
    ASSERT_TRUE(becomes_readable(pair.ours()));
    EXPECT_EQ(library_reads(pair.ours(), 5), "hello");
    forget_wakes();
    EXPECT_EQ(library_polls(pair.ours(), 0), 0);
    auto before = Clock::now();
    EXPECT_EQ(__wrap_usleep(30'000), 0);
    EXPECT_GE(Clock::now() - before, 29ms);
    before = Clock::now();
    std::thread other([&] { pair.peer_sends("x"); });
    EXPECT_EQ(__wrap_usleep(kBoundMs * 1000), 0);
    EXPECT_LT(Clock::now() - before, kBound / 2);
    other.join();
    EXPECT_EQ(library_reads(pair.ours(), 1), "x");
  });
}

TEST(WireReceiver, SleepEndsTheBatchAndSeesWhatIsBuffered) {
  on_own_thread([] {
    const Pair pair;
    int ends = 0;
    pair.link()->on_batch_end([&] { ++ends; });
    pair.peer_sends("xy");
    ASSERT_TRUE(becomes_readable(pair.ours()));
    library_reads(pair.ours(), 1);
    const auto before = Clock::now();
    EXPECT_EQ(__wrap_usleep(kBoundMs * 1000), 0);
    EXPECT_LT(Clock::now() - before, kBound / 2);
    EXPECT_EQ(ends, 1);
  });
}

TEST(WireReceiver, SleepDoesNotEndForADescriptorThatWasClosed) {
  on_own_thread([] {
    Pair pair;
    pair.link();
    forget_wakes();
    EXPECT_EQ(library_polls(pair.ours(), 0), 0);
    pair.close_ours();
    const auto before = Clock::now();
    EXPECT_EQ(__wrap_usleep(30'000), 0);
    EXPECT_GE(Clock::now() - before, 29ms);
  });
}

// The library begins with a sleep of 100 ms, before there is any connection.
TEST(WireReceiver, SleepBeforeTheFirstConnectionEndsWithIt) {
  on_own_thread([] {
    std::thread(forget_wakes).join();
    __wrap_Thread_set_name("MQTTAsync_rcv");
    const auto before = Clock::now();
    std::thread other([] {
      const Pair pair;
      EXPECT_EQ(__wrap_connect(pair.ours(), nullptr, 0), -1);
    });
    EXPECT_EQ(__wrap_usleep(kBoundMs * 1000), 0);
    EXPECT_LT(Clock::now() - before, kBound / 2);
    other.join();
  });
}

// A poll that found nothing but a new connection is followed by a sleep over the old ones.
TEST(WireReceiver, SleepDoesNotFollowAPollThatAConnectionEnded) {
  on_own_thread([] {
    const Pair old;
    old.link();
    old.peer_sends("x");
    ASSERT_TRUE(becomes_readable(old.ours()));
    EXPECT_EQ(library_reads(old.ours(), 1), "x");
    forget_wakes();
    const Pair pair;
    EXPECT_EQ(__wrap_connect(pair.ours(), nullptr, 0), -1);
    EXPECT_EQ(library_polls(old.ours(), kBoundMs), 0);
    const auto before = Clock::now();
    EXPECT_EQ(__wrap_usleep(kBoundMs * 1000), 0);
    EXPECT_LT(Clock::now() - before, kBound / 2);
  });
}

TEST(WireReceiver, SleepElsewhereSleeps) {
  on_own_thread([] {
    const auto before = Clock::now();
    EXPECT_EQ(__wrap_usleep(20'000), 0);
    EXPECT_GE(Clock::now() - before, 20ms);
    EXPECT_FALSE(Receiver::is_receive_thread());
    EXPECT_EQ(current(), nullptr);
  });
}

TEST(WireReceiver, ServesManyConnectionsAtOnce) {
  rlimit files{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  on_own_thread([] {
    constexpr std::size_t kLinks = 300;
    std::vector<std::unique_ptr<Pair>> pairs;
    std::vector<pollfd> fds;
    std::vector<int> ends(kLinks, 0);
    for (std::size_t i = 0; i < kLinks; ++i) {
      pairs.push_back(std::make_unique<Pair>());
      ASSERT_GE(pairs.back()->ours(), 0);
      pairs.back()->link()->on_batch_end([&ends, i] { ++ends[i]; });
      fds.push_back({.fd = pairs.back()->ours(), .events = POLLIN, .revents = 0});
    }
    for (int round = 1; round <= 3; ++round) {
      for (const auto& pair : pairs) pair->peer_sends("ab");
      ASSERT_EQ(__wrap_poll(fds.data(), kLinks, kBoundMs), static_cast<int>(kLinks));
      for (const auto& pair : pairs) EXPECT_EQ(library_reads(pair->ours(), 1), "a");
      EXPECT_EQ(__wrap_poll(fds.data(), kLinks, kBoundMs), static_cast<int>(kLinks));
      EXPECT_EQ(ends[0], round - 1);
      for (const auto& pair : pairs) EXPECT_EQ(library_reads(pair->ours(), 1), "b");
      EXPECT_EQ(__wrap_poll(fds.data(), kLinks, 0), 0);
      for (std::size_t i = 0; i < kLinks; ++i) EXPECT_EQ(ends[i], round);
    }
    // Every third is closed, and its number is somebody else's at once.
    for (std::size_t i = 0; i < kLinks; i += 3) {
      pairs[i].reset();
      pairs[i] = std::make_unique<Pair>();
      fds[i].fd = pairs[i]->ours();
      pairs[i]->peer_sends("n");
    }
    EXPECT_EQ(__wrap_poll(fds.data(), kLinks, kBoundMs), static_cast<int>(kLinks / 3));
    for (std::size_t i = 0; i < kLinks; ++i) {
      EXPECT_EQ(library_reads(pairs[i]->ours(), 1), i % 3 == 0 ? "n" : "");
    }
  });
}

}  // namespace
}  // namespace triggerd::mqtt::wire::test
