// One connection without TLS, over a socket pair: what the library reads and writes, and
// acknowledgements that wait. What is taken: wire_taking_test.cpp.
#include "mqtt/wire/link.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "mqtt/wire/receiver.hpp"
#include "support/eventually.hpp"
#include "unit/mqtt/wire/dialled.hpp"
#include "unit/mqtt/wire/packets.hpp"
#include "unit/mqtt/wire/threads_at_once.hpp"

namespace triggerd::mqtt::wire::test {
namespace {

class WireLink : public testing::TestWithParam<Pair::Kind> {};
INSTANTIATE_TEST_SUITE_P(Wire, WireLink, testing::Values(Pair::Kind::local, Pair::Kind::tcp),
                         [](const auto& info) {
                           return info.param == Pair::Kind::local ? "Local" : "Tcp";
                         });

// ---- Reading ----

TEST_P(WireLink, NothingThereAndTheEndAreAsOfTheSystem) {
  on_own_thread([] {
    Dialled dialled({}, GetParam());
    dialled.connect();
    EXPECT_EQ(dialled.library_finds(), EAGAIN);
    dialled.pair.peer_sends(kPingAnswer);
    dialled.pair.close_peer();
    ASSERT_NE(library_polls(dialled.pair.ours(), kBoundMs), 0);
    EXPECT_EQ(dialled.library_takes(), kPingAnswer);
    ASSERT_NE(library_polls(dialled.pair.ours(), kBoundMs), 0);
    EXPECT_EQ(dialled.library_finds(), 0);
    EXPECT_EQ(dialled.link->fault(), "");
  });
}

TEST(WireLinkTcp, AResetIsAsOfTheSystem) {
  on_own_thread([] {
    Dialled dialled({}, Pair::Kind::tcp);
    dialled.connect();
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(dialled.pair.peer(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    dialled.pair.close_peer();
    ASSERT_NE(library_polls(dialled.pair.ours(), kBoundMs), 0);
    EXPECT_EQ(dialled.library_finds(), ECONNRESET);
  });
}

TEST_P(WireLink, TheLibraryNeverReadsBeyondItsPacket) {
  on_own_thread([] {
    const Dialled dialled({}, GetParam());
    const std::string connack = dialled.encode(packet::ConnAck{});
    dialled.writes(dialled.connect_packet());
    dialled.pair.peer_sends(connack + kPingAnswer + kPingAnswer);
    for (const std::string& expected : {connack, kPingAnswer, kPingAnswer}) {
      ASSERT_NE(library_polls(dialled.pair.ours(), kBoundMs) & POLLIN, 0);
      EXPECT_EQ(library_reads(dialled.pair.ours(), 100'000), expected);
      errno = 0;
      EXPECT_EQ(library_reads(dialled.pair.ours(), 1), "") << "before it has asked poll again";
      EXPECT_EQ(errno, EAGAIN);
    }
    EXPECT_FALSE(dialled.turn());
  });
}

TEST_P(WireLink, APartOfAPacketIsNotShownToTheLibrary) {
  on_own_thread([] {
    const Dialled dialled({}, GetParam());
    dialled.writes(dialled.connect_packet());
    const std::string connack = dialled.encode(packet::ConnAck{});
    for (const char byte : connack) {
      EXPECT_FALSE(dialled.turn());
      dialled.pair.peer_sends({&byte, 1});
    }
    ASSERT_NE(library_polls(dialled.pair.ours(), kBoundMs) & POLLIN, 0);
    EXPECT_EQ(dialled.library_takes(), connack);
  });
}

// ---- Writing ----

// The library frees it twice otherwise.
TEST_P(WireLink, APublishThatCannotBeWrittenIsLostWithTheConnection) {
  on_own_thread([] {
    Dialled dialled({}, GetParam());
    dialled.connect();
    dialled.pair.close_peer();
    const auto write = [&dialled](char first) {
      return dialled.writes(std::string{first, 5, 0, 1, 't', 0, 1});
    };
    // TCP hears of the end by what comes back, so the first write may succeed.
    ASSERT_TRUE(triggerd::test::eventually([&] { return write(0x30) < 0; })) << "QoS 0 is as ever";
    EXPECT_EQ(write(0x32), 7);
    EXPECT_EQ(write(0x34), 7);
    ASSERT_NE(library_polls(dialled.pair.ours(), kBoundMs), 0);
    EXPECT_NE(dialled.library_finds(), -1) << "whoever reads sees the end";
  });
}

// What the library would do to its memory otherwise ends the process.
TEST_P(WireLink, APubackOfAMessageOfQos2EndsTheConnection) {
  on_own_thread([] {
    Dialled dialled({}, GetParam());
    dialled.connect();
    const auto publish = [&dialled](std::uint8_t qos, std::uint16_t id) {
      dialled.writes(dialled.encode(
          packet::Publish{.topic = "x", .payload = "hi", .qos = qos, .packet_id = id}));
    };
    const auto answered = [&dialled](std::uint16_t id) {
      dialled.pair.peer_sends(puback(id));
      library_polls(dialled.pair.ours(), kBoundMs);
      return dialled.library_takes() == puback(id);
    };
    publish(2, 1);
    publish(2, 2);
    publish(1, 3);
    EXPECT_TRUE(answered(3));
    publish(1, 2);  // the number is another message's by now
    EXPECT_TRUE(answered(2));
    EXPECT_EQ(dialled.link->fault(), "");
    EXPECT_FALSE(answered(1));
    EXPECT_EQ(dialled.library_finds(), EPROTO);
    EXPECT_NE(dialled.link->fault().find("publish with QoS 1"), std::string::npos);
  });
}

// ---- Acknowledgements that wait ----

TEST_P(WireLink, AHeldAcknowledgementLeavesWithTheFlushAfterItsRelease) {
  on_own_thread([] {
    Dialled dialled({.hold = true}, GetParam());
    dialled.connect();
    const Got got = dialled.message(3);
    EXPECT_EQ(dialled.writes(kPingRequest), 2);
    EXPECT_EQ(dialled.pair.peer_gets(2), kPingRequest);
    dialled.release(got);
    EXPECT_EQ(dialled.link->held(), 1U);
    dialled.link->flush();
    EXPECT_EQ(dialled.pair.peer_gets(4), puback(3));
    EXPECT_EQ(dialled.link->held(), 0U);
  });
}

TEST_P(WireLink, WhatNobodyHoldsLeavesWithItsBatch) {
  on_own_thread([] {
    Dialled dialled({}, GetParam());
    dialled.connect();
    (void)dialled.message(3);
    (void)dialled.message(4, 2);
    dialled.server_sends(dialled.encode(packet::PubRel{.packet_id = 4}));
    EXPECT_EQ(dialled.pair.peer_gets(12),
              puback(3) + ack_bytes(AckKind::pubrec, 4) + ack_bytes(AckKind::pubcomp, 4));
  });
}

TEST_P(WireLink, NothingLeavesBetweenTheTwoPartsOfAPacket) {
  on_own_thread([] {
    Dialled dialled({.hold = true}, GetParam(), 4608);
    dialled.connect();
    const Link& link = *dialled.link;
    const Got got = dialled.message(1);
    const std::string packet(1'000'000, 'p');
    const ssize_t part = dialled.writes(packet);
    ASSERT_GT(part, 0);
    ASSERT_LT(static_cast<std::size_t>(part), packet.size());
    EXPECT_TRUE(link.library_waits());

    dialled.release(got);
    dialled.link->flush();
    std::thread([&] { dialled.link->flush(); }).join();
    auto done = static_cast<std::size_t>(part);
    std::string stream;
    const auto until = Clock::now() + kBound;
    while (done < packet.size() && Clock::now() < until) {
      stream += dialled.pair.peer_has();
      dialled.link->flush();
      const ssize_t more = dialled.writes(std::string_view(packet).substr(done));
      if (more > 0) done += static_cast<std::size_t>(more);
    }
    EXPECT_FALSE(link.library_waits());
    // With the last part of the packet, or as soon as there is room: without another flush.
    EXPECT_TRUE(polls_until(dialled.pair.ours(), [&] {
      stream += dialled.pair.peer_has();
      return stream.size() >= packet.size() + 4;
    }));
    EXPECT_TRUE(stream == packet + puback(1)) << stream.size();
  });
}

TEST_P(WireLink, WhileOurBytesWaitTheLibraryIsToldToTryAgain) {
  on_own_thread([] {
    Dialled dialled({.hold = true}, GetParam(), 4608);
    dialled.connect();
    std::string acks;
    std::vector<Got> held;
    for (std::uint16_t id = 1; id <= 100; ++id) {
      held.push_back(dialled.message(id, 2));
      acks += ack_bytes(AckKind::pubrec, id);
    }
    const std::size_t filler = dialled.pair.fill();
    for (const Got& got : held) dialled.release(got);
    dialled.link->flush();
    EXPECT_TRUE(dialled.link->we_wait());
    errno = 0;
    EXPECT_EQ(dialled.writes(kPingRequest), -1);
    EXPECT_EQ(errno, EAGAIN);
    EXPECT_FALSE(dialled.link->library_waits());

    std::string stream;
    EXPECT_TRUE(polls_until(dialled.pair.ours(), [&] {
      stream += dialled.pair.peer_has();
      return !dialled.link->we_wait();
    }));
    EXPECT_EQ(dialled.writes(kPingRequest), 2);
    const std::string expected = std::string(filler, 'f') + acks + kPingRequest;
    stream += dialled.pair.peer_gets(expected.size() - stream.size());
    EXPECT_TRUE(stream == expected) << stream.size() << " of " << expected.size();
  });
}

TEST_P(WireLink, AReleaseFromAnotherThreadLeavesWithItsFlush) {
  on_own_thread([] {
    Dialled dialled({.hold = true}, GetParam());
    dialled.connect();
    const Got got = dialled.message(4);
    std::thread([&] {
      dialled.release(got);
      dialled.link->flush();
    }).join();
    EXPECT_EQ(dialled.pair.peer_gets(4), puback(4));
  });
}

// Nobody reads while it is paused, so nobody would find out.
TEST(WireLinkTcp, ABrokenConnectionThatIsPausedDoesNotKeepTheReceiveThreadBusy) {
  on_own_thread([] {
    Dialled dialled({.hold = true}, Pair::Kind::tcp, 4608);
    dialled.connect();
    const Got got = dialled.message(1);
    dialled.pair.fill();
    dialled.link->pause();
    dialled.release(got);
    dialled.link->flush();
    ASSERT_TRUE(dialled.link->we_wait());
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(dialled.pair.peer(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    dialled.pair.close_peer();
    EXPECT_TRUE(sleeps_in_poll(dialled.pair.ours()));
    dialled.link->resume();
    ASSERT_NE(library_polls(dialled.pair.ours(), kBoundMs), 0);
    EXPECT_NE(dialled.library_finds(), EAGAIN) << "then the library sees it";
  });
}

TEST_P(WireLink, TheNextOneWithTheSameNumberStartsClean) {
  on_own_thread([] {
    Dialled first({.hold = true}, GetParam());
    first.connect();
    const int number = first.pair.ours();
    const auto old = first.link;
    const Got got = first.message(1);
    first.pair.peer_sends(puback(9).substr(0, 3));  // a part of a packet, left over
    library_polls(number, 0);
    const int peer = first.pair.take_peer();
    first.pair.close_ours();
    EXPECT_TRUE(old->gone());
    EXPECT_EQ(find_link(number), nullptr);
    EXPECT_EQ(old->held(), 0U);
    ::close(peer);

    Pair second(GetParam());
    // Whatever number the system chose for it, it now has this one.
    ASSERT_GE(::dup2(second.ours(), number), 0);
    const auto link = link_of(number);
    EXPECT_NE(link, old);
    const auto sink = std::make_shared<Recorder>();
    link->carry(std::make_shared<const Dial>(Dial{.hold = true, .sink = sink}));
    library_writes(number, packet::encode(packet::Connect{.client_id = "c"}));
    second.peer_has();
    second.peer_sends(packet::encode(packet::ConnAck{}));
    library_polls(number, kBoundMs);
    EXPECT_EQ(library_reads(number, 4), packet::encode(packet::ConnAck{}));
    second.peer_sends(packet::encode(packet::Publish{.topic = "n", .qos = 1, .packet_id = 1}));
    EXPECT_TRUE(polls_until(number, [&] { return sink->got.size() == 1; }));
    old->release(AckKind::puback, got.ticket);
    old->flush();
    link->flush();
    EXPECT_EQ(link->held(), 1U);
    EXPECT_EQ(second.peer_has(), "");
    if (number != second.ours()) __wrap_close(number);
  });
}

// ---- Interleaving ----

TEST_P(WireLink, ManyThreadsNeverSplitAPacket) {
  on_own_thread([] {
    Dialled dialled({.hold = true}, GetParam(), 8192);
    dialled.connect();
    const int peer = dialled.pair.peer();
    ThreadsAtOnce threads(
        {.link = dialled.link,
         .sink = *dialled.sink,
         .ours = dialled.pair.ours(),
         .peer = peer,
         .library_writes =
             [&](std::string_view packet) {
               return static_cast<std::size_t>(std::max<ssize_t>(dialled.writes(packet), 0));
             },
         .peer_sends =
             [peer](const std::string& packet) {
               return ::send(peer, packet.data(), packet.size(), MSG_NOSIGNAL) >= 0;
             },
         .peer_reads =
             [peer] {
               char some[3000];
               const ssize_t got = ::recv(peer, some, sizeof some, 0);
               return std::string(some, static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
             }});
    threads.run();
  });
}

}  // namespace
}  // namespace triggerd::mqtt::wire::test
