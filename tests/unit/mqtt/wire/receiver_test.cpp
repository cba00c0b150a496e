// The receive thread between two packets: poll, its wake-ups, the end of a batch, and sleep.
#include "mqtt/wire/receiver.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <memory>
#include <vector>

#include "unit/mqtt/wire/dialled.hpp"

namespace triggerd::mqtt::wire::test {
namespace {

std::string message_packet(const char* topic) {
  return packet::encode(packet::Publish{.topic = topic});
}

TEST(WireReceiver, ABatchEndsOnceForEachRead) {
  on_own_thread([] {
    Dialled dialled;
    Dialled idle;
    dialled.connect();
    idle.connect();
    pollfd both[] = {{.fd = idle.pair.ours(), .events = POLLIN, .revents = 0},
                     {.fd = dialled.pair.ours(), .events = POLLIN, .revents = 0}};
    for (std::size_t batch = 1; batch <= 3; ++batch) {
      dialled.pair.peer_sends(message_packet("a") + message_packet("b"));
      EXPECT_EQ(__wrap_poll(both, 2, 0), 0) << "nothing is for the library";
      EXPECT_EQ(dialled.sink->got.size(), 2 * batch);
      EXPECT_EQ(dialled.sink->ends(), batch);
      EXPECT_EQ(__wrap_poll(both, 2, 0), 0);
      EXPECT_EQ(dialled.sink->ends(), batch);
    }
    // What is the library's ends a batch, and what is behind it is the next.
    dialled.pair.peer_sends(message_packet("a") + kPingAnswer + message_packet("b"));
    EXPECT_EQ(__wrap_poll(both, 2, kBoundMs), 1);
    EXPECT_EQ(both[0].revents, 0);
    EXPECT_EQ(both[1].revents, POLLIN);
    EXPECT_EQ(dialled.sink->ends(), 4U);
    EXPECT_EQ(library_reads(dialled.pair.ours(), 100), kPingAnswer);
    EXPECT_EQ(__wrap_poll(both, 2, 0), 0);
    EXPECT_EQ(dialled.sink->ends(), 5U);
    EXPECT_TRUE(idle.sink->happened.empty());
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

TEST(WireReceiver, TheEndOfABatchSendsWhatItReleased) {
  on_own_thread([] {
    Dialled dialled({.hold = true});
    dialled.connect();
    dialled.sink->on_end = [&] {
      EXPECT_EQ(dialled.pair.peer_has(), "");
      dialled.release(dialled.sink->got.back());
    };
    dialled.message(6);
    EXPECT_EQ(dialled.pair.peer_has(), puback(6));
  });
}

TEST(WireReceiver, APauseMasksTheDescriptorAndResumeEndsTheWait) {
  on_own_thread([] {
    Dialled dialled;
    dialled.connect();
    dialled.link->pause();
    dialled.pair.peer_sends(kPingAnswer);
    EXPECT_EQ(library_polls(dialled.pair.ours(), 30), 0);
    EXPECT_TRUE(sleeps_in_poll(dialled.pair.ours()));
    std::thread other([&] { dialled.link->resume(); });
    EXPECT_EQ(library_polls(dialled.pair.ours(), kBoundMs), POLLIN);
    other.join();
    EXPECT_EQ(dialled.library_takes(), kPingAnswer);
  });
}

// A message or an acknowledgement is no reason to have the library look at all its connections.
TEST(WireReceiver, WhatIsNotTheLibrarysDoesNotEndAPoll) {
  on_own_thread([] {
    Dialled dialled({.hold = true});
    dialled.connect();
    forget_wakes();
    const Got got = dialled.message(1);
    bool flushed = false;
    std::thread other([&] {
      dialled.pair.peer_sends(message_packet("a"));
      dialled.release(got);
      dialled.link->flush();
      wake_receiver();
      flushed = dialled.pair.peer_gets(4) == puback(1);
      dialled.pair.peer_sends(kPingAnswer);
    });
    EXPECT_EQ(library_polls(dialled.pair.ours(), kBoundMs), POLLIN);
    other.join();
    EXPECT_TRUE(flushed);
    EXPECT_EQ(dialled.sink->topics().back(), "a");
    EXPECT_EQ(dialled.library_takes(), kPingAnswer);
  });
}

TEST(WireReceiver, AWakeOfTheLibraryEndsAPoll) {
  on_own_thread([] {
    Dialled dialled;
    dialled.connect();
    forget_wakes();
    for (int i = 0; i < 20; ++i) {
      const auto before = Clock::now();
      std::thread other(wake_library);
      EXPECT_EQ(library_polls(dialled.pair.ours(), kBoundMs), 0);
      other.join();
      EXPECT_LT(Clock::now() - before, kBound / 2);
    }
  });
}

TEST(WireReceiver, AnEndFromAnotherThreadEndsAPoll) {
  on_own_thread([] {
    Dialled dialled;
    dialled.connect();
    forget_wakes();
    std::thread other([&] { dialled.link->end("enough"); });
    EXPECT_NE(library_polls(dialled.pair.ours(), kBoundMs) & POLLIN, 0);
    other.join();
    EXPECT_EQ(dialled.library_finds(), EPROTO);
    EXPECT_EQ(dialled.link->fault(), "enough");
    dialled.link->end("too late");
    EXPECT_EQ(dialled.link->fault(), "enough");
  });
}

TEST(WireReceiver, ANewConnectionEndsAPoll) {
  on_own_thread([] {
    Dialled dialled;
    dialled.connect();
    forget_wakes();
    const auto before = Clock::now();
    std::thread other([] { const Pair connected(Pair::Kind::tcp); });
    EXPECT_EQ(library_polls(dialled.pair.ours(), kBoundMs), 0);
    other.join();
    EXPECT_LT(Clock::now() - before, kBound / 2);
  });
}

TEST(WireReceiver, WhoMayWriteIsKnownOfAnEstablishedConnection) {
  on_own_thread([] {
    const Dialled dialled({}, Pair::Kind::local, 4608);
    const int ours = dialled.pair.ours();
    dialled.writes(dialled.connect_packet());
    dialled.pair.fill();
    EXPECT_EQ(library_polls(ours, 0), 0);
    EXPECT_EQ(library_polls(ours, 0, POLLOUT), 0);  // asked of the system: it is full
    dialled.pair.peer_sends(dialled.encode(packet::ConnAck{}));
    EXPECT_NE(dialled.library_takes(), "");
    EXPECT_EQ(library_polls(ours, 0, POLLOUT), POLLOUT);
    dialled.pair.peer_has();
    ASSERT_GT(dialled.writes(std::string(1'000'000, 'p')), 0);
    ASSERT_TRUE(dialled.link->library_waits());
    EXPECT_EQ(library_polls(ours, 0, POLLOUT), 0);
  });
}

// poll(2) would call it closed, and the library would believe that.
TEST(WireReceiver, ASocketThatIsNotConnectingYetIsNotPolled) {
  on_own_thread([] {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ASSERT_GE(fd, 0);
    pollfd raw{.fd = fd, .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&raw, 1, 0), 1);
    ASSERT_NE(raw.revents & POLLHUP, 0);
    forget_wakes();
    EXPECT_EQ(library_polls(fd, 0), 0);
    pollfd writable{.fd = fd, .events = POLLOUT, .revents = 0};
    EXPECT_EQ(__wrap_poll(&writable, 1, 0) > 0 ? writable.revents : 0, 0);
    // Its connect makes a link of it, and the library is told what there is to see.
    sockaddr_in nobody{};
    nobody.sin_family = AF_INET;
    nobody.sin_port = htons(1);
    nobody.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    __wrap_connect(fd, reinterpret_cast<const sockaddr*>(&nobody), sizeof nobody);
    forget_wakes();
    EXPECT_NE(library_polls(fd, kBoundMs), 0);
    __wrap_close(fd);
  });
}

TEST(WireReceiver, SleepOnTheReceiveThreadEndsWithWhatIsTheLibrarys) {
  on_own_thread([] {
    Dialled dialled;
    dialled.connect();
    forget_wakes();
    EXPECT_FALSE(dialled.turn());
    auto before = Clock::now();
    EXPECT_EQ(__wrap_usleep(30'000), 0);
    EXPECT_GE(Clock::now() - before, 29ms);
    before = Clock::now();
    std::thread other([&] { dialled.pair.peer_sends(message_packet("a") + kPingAnswer); });
    EXPECT_EQ(__wrap_usleep(kBoundMs * 1000), 0);
    EXPECT_LT(Clock::now() - before, kBound / 2);
    other.join();
    EXPECT_EQ(dialled.sink->topics(), std::vector<std::string>{"a"});
    EXPECT_EQ(library_reads(dialled.pair.ours(), 2), kPingAnswer);
  });
}

TEST(WireReceiver, SleepEndsTheBatchAndSeesWhatWasRead) {
  on_own_thread([] {
    Dialled dialled;
    dialled.connect();
    dialled.pair.peer_sends(kPingAnswer + message_packet("a") + kPingAnswer);
    EXPECT_EQ(dialled.library_takes(), kPingAnswer);
    const auto before = Clock::now();
    EXPECT_EQ(__wrap_usleep(kBoundMs * 1000), 0);
    EXPECT_LT(Clock::now() - before, kBound / 2);
    EXPECT_EQ(dialled.sink->happened, (std::vector<std::string>{"message a", "end"}));
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
    Dialled old;
    old.connect();
    forget_wakes();
    const Pair pair;
    EXPECT_EQ(__wrap_connect(pair.ours(), nullptr, 0), -1);
    EXPECT_EQ(library_polls(old.pair.ours(), kBoundMs), 0);
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
  });
}

TEST(WireReceiver, ServesManyConnectionsAtOnce) {
  rlimit files{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  on_own_thread([] {
    constexpr std::size_t kLinks = 300;
    std::vector<std::unique_ptr<Dialled>> all;
    std::vector<pollfd> fds;
    const auto add = [&] {
      auto one = std::make_unique<Dialled>();
      EXPECT_GE(one->pair.ours(), 0);
      one->connect();
      return one;
    };
    for (std::size_t i = 0; i < kLinks; ++i) {
      all.push_back(add());
      fds.push_back({.fd = all[i]->pair.ours(), .events = POLLIN, .revents = 0});
    }
    for (std::size_t round = 1; round <= 3; ++round) {
      for (const auto& one : all) one->pair.peer_sends(message_packet("a") + kPingAnswer);
      ASSERT_EQ(__wrap_poll(fds.data(), kLinks, kBoundMs), static_cast<int>(kLinks));
      for (const auto& one : all) {
        EXPECT_EQ(library_reads(one->pair.ours(), 2), kPingAnswer);
        EXPECT_EQ(one->sink->got.size(), round);
        EXPECT_EQ(one->sink->ends(), round);
      }
      EXPECT_EQ(__wrap_poll(fds.data(), kLinks, 0), 0);
    }
    // Every third is closed, and its number is somebody else's at once.
    for (std::size_t i = 0; i < kLinks; i += 3) {
      all[i].reset();
      all[i] = add();
      fds[i].fd = all[i]->pair.ours();
      all[i]->pair.peer_sends(kPingAnswer);
    }
    EXPECT_EQ(__wrap_poll(fds.data(), kLinks, kBoundMs), static_cast<int>(kLinks / 3));
    for (std::size_t i = 0; i < kLinks; ++i) {
      EXPECT_EQ(library_reads(all[i]->pair.ours(), 2), i % 3 == 0 ? kPingAnswer : "");
    }
  });
}

}  // namespace
}  // namespace triggerd::mqtt::wire::test
