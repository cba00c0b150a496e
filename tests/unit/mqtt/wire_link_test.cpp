// One connection without TLS, over a socket pair: reading ahead, whole packets, held
// acknowledgements, pausing, and the end of a batch.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "mqtt/wire/link.hpp"
#include "mqtt/wire/receiver.hpp"
#include "support/eventually.hpp"
#include "unit/mqtt/wire_packets.hpp"
#include "unit/mqtt/wire_support.hpp"

namespace triggerd::mqtt::wire::test {
namespace {

const std::string kPing = {static_cast<char>(0xc0), 0};

class WireLink : public testing::TestWithParam<Pair::Kind> {};
INSTANTIATE_TEST_SUITE_P(Wire, WireLink, testing::Values(Pair::Kind::local, Pair::Kind::tcp),
                         [](const auto& info) {
                           return info.param == Pair::Kind::local ? "Local" : "Tcp";
                         });

// ---- Reading ----

TEST_P(WireLink, SmallReadsAreServedFromOneOfTheSystem) {
  on_own_thread([] {
    const Pair pair(GetParam());
    pair.peer_sends("0123456789");
    ASSERT_NE(library_polls(pair.ours(), kBoundMs) & POLLIN, 0);
    EXPECT_EQ(library_reads(pair.ours(), 1), "0");
    EXPECT_EQ(pair.link()->buffered(), 9U);
    // A second call of the system would find these too.
    pair.peer_sends("abcde");
    for (std::size_t i = 1; i < 10; ++i) {
      EXPECT_EQ(library_reads(pair.ours(), 1), std::to_string(i));
      EXPECT_EQ(pair.link()->buffered(), 9U - i);
    }
    EXPECT_EQ(library_reads(pair.ours(), 100), "abcde");
  });
}

TEST_P(WireLink, NothingThereAndTheEndAreAsOfTheSystem) {
  on_own_thread([] {
    Pair pair(GetParam());
    char byte = 0;
    errno = 0;
    EXPECT_EQ(__wrap_recv(pair.ours(), &byte, 1, 0), -1);
    EXPECT_EQ(errno, EAGAIN);
    pair.peer_sends("x");
    pair.close_peer();
    ASSERT_NE(library_polls(pair.ours(), kBoundMs), 0);
    EXPECT_EQ(library_reads(pair.ours(), 1), "x");
    ASSERT_NE(library_polls(pair.ours(), kBoundMs), 0);
    EXPECT_EQ(__wrap_recv(pair.ours(), &byte, 1, 0), 0);
    EXPECT_EQ(pair.link()->fault(), "");
  });
}

TEST(WireLinkTcp, AResetIsAsOfTheSystem) {
  on_own_thread([] {
    Pair pair(Pair::Kind::tcp);
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(pair.peer(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    pair.close_peer();
    ASSERT_NE(library_polls(pair.ours(), kBoundMs), 0);
    char byte = 0;
    EXPECT_EQ(__wrap_recv(pair.ours(), &byte, 1, 0), -1);
    EXPECT_EQ(errno, ECONNRESET);
  });
}

// The library frees it twice otherwise.
TEST_P(WireLink, APublishThatCannotBeWrittenIsLostWithTheConnection) {
  on_own_thread([] {
    Pair pair(GetParam());
    pair.close_peer();
    const auto write = [&pair](char first) {
      std::string packet = {first, 5, 0, 1, 't', 0, 1};
      const iovec part{.iov_base = packet.data(), .iov_len = packet.size()};
      return __wrap_writev(pair.ours(), &part, 1);
    };
    // TCP hears of the end by what comes back, so the first write may succeed.
    ASSERT_TRUE(triggerd::test::eventually([&] { return write(0x30) < 0; })) << "QoS 0 is as ever";
    EXPECT_EQ(write(0x32), 7);
    EXPECT_EQ(write(0x34), 7);
    ASSERT_NE(library_polls(pair.ours(), kBoundMs), 0);
    char byte = 0;
    EXPECT_LE(__wrap_recv(pair.ours(), &byte, 1, 0), 0) << "whoever reads sees the end";
  });
}

TEST_P(WireLink, SoIsOneInAFrameOfWebSocket) {
  on_own_thread([] {
    Pair pair(GetParam());
    const auto write = [&pair](std::string bytes) {
      const iovec part{.iov_base = bytes.data(), .iov_len = bytes.size()};
      return __wrap_writev(pair.ours(), &part, 1);
    };
    const auto frame = [](char first, std::string header) {
      const std::string mask = "\x5a\x01\x02\x03";
      std::string packet = {first, 5, 0, 1, 't', 0, 1};
      for (std::size_t i = 0; i < packet.size(); ++i) packet[i] ^= mask[i % mask.size()];
      return std::move(header) + mask + packet;
    };
    ASSERT_GT(write("GET /mqtt HTTP/1.1\r\n\r\n"), 0);
    pair.close_peer();
    const std::string header = "\x82\x87";
    const std::string longer = std::string("\x82\xfe\x00\x07", 4);
    ASSERT_TRUE(triggerd::test::eventually([&] { return write(frame(0x30, header)) < 0; }));
    EXPECT_EQ(write(frame(0x32, header)), 13);
    EXPECT_EQ(write(frame(0x34, longer)), 15);
    EXPECT_LT(write(frame('\x82', header)), 0) << "a SUBSCRIBE";
  });
}

TEST_P(WireLink, AReadLargerThanTheBufferGoesStraight) {
  on_own_thread([] {
    const Pair pair(GetParam());
    pair.peer_sends("head" + std::string(1000, 'b'));
    ASSERT_NE(library_polls(pair.ours(), kBoundMs), 0);
    EXPECT_EQ(library_reads(pair.ours(), 100'000).size(), 1004U);
    EXPECT_EQ(pair.link()->buffered(), 0U);
    EXPECT_EQ(current(), pair.link());
  });
}

// As the library does: a byte, the length, and the rest of the packet at once, with what is short
// of it after the next poll.
TEST_P(WireLink, LargeAndSmallPacketsAreOneStream) {
  on_own_thread([] {
    const Pair pair(GetParam());
    const std::size_t sizes[] = {10, 20'000, 70'000, 5, 16'384, 16'383, 200'000, 100, 1, 65'536};
    std::string sent;
    for (const std::size_t size : sizes) {
      sent += "h01";
      for (std::size_t i = 0; i < size; ++i) sent += static_cast<char>('a' + (sent.size() % 23));
    }
    std::thread peer([&] {
      std::size_t at = 0;
      for (std::size_t piece = 1; at < sent.size(); piece = std::min(piece * 3, sent.size())) {
        pollfd room{.fd = pair.peer(), .events = POLLOUT, .revents = 0};
        if (::poll(&room, 1, kBoundMs) != 1) return;
        const std::size_t most = std::min(piece, sent.size() - at);
        const ssize_t went = ::send(pair.peer(), sent.data() + at, most, MSG_DONTWAIT);
        at += went > 0 ? static_cast<std::size_t>(went) : 0;
      }
    });
    std::string got;
    const auto until = Clock::now() + kBound;
    for (const std::size_t size : sizes) {
      for (std::size_t part : {std::size_t{1}, std::size_t{2}, size}) {
        while (part > 0 && Clock::now() < until) {
          if (library_polls(pair.ours(), 20) == 0) continue;
          const std::string read = library_reads(pair.ours(), part);
          part -= read.size();
          got += read;
        }
      }
    }
    peer.join();
    EXPECT_EQ(got.size(), sent.size());
    EXPECT_TRUE(got == sent);
  });
}

TEST_P(WireLink, APacketOverTheLimitFailsTheRead) {
  on_own_thread([] {
    const Pair pair(GetParam());
    pair.link()->limit_packets(1000);
    std::string bytes(1001, '\0');
    pair.peer_sends("x");
    ASSERT_NE(library_polls(pair.ours(), kBoundMs), 0);
    errno = 0;
    EXPECT_EQ(__wrap_recv(pair.ours(), bytes.data(), 1001, 0), -1);
    EXPECT_EQ(errno, EMSGSIZE);
    EXPECT_NE(pair.link()->fault().find("1001 bytes"), std::string::npos) << pair.link()->fault();
    EXPECT_NE(pair.link()->fault().find("1000"), std::string::npos);
  });
}

TEST_P(WireLink, APacketOverTheLimitFailsTheReadThoughItIsBufferedAlready) {
  on_own_thread([] {
    const Pair pair(GetParam());
    pair.link()->limit_packets(1000);
    pair.peer_sends(std::string(2000, 'p'));
    ASSERT_NE(library_polls(pair.ours(), kBoundMs), 0);
    EXPECT_EQ(library_reads(pair.ours(), 2), "pp");
    EXPECT_EQ(library_reads(pair.ours(), 1000).size(), 1000U);
    std::string bytes(1001, '\0');
    EXPECT_EQ(__wrap_recv(pair.ours(), bytes.data(), 1001, 0), -1);
    EXPECT_EQ(errno, EMSGSIZE);
    EXPECT_NE(pair.link()->fault(), "");
  });
}

// ---- Writing ----

// What the library would do to its memory otherwise ends the process.
TEST_P(WireLink, APubackOfAMessageOfQos2FailsTheRead) {
  const auto publish = [](char flags, char id) {
    return std::string{flags, 7, 0, 1, 'x', 0, id, 'h', 'i'};
  };
  const auto puback = [](char id) { return std::string{0x40, 2, 0, id}; };
  on_own_thread([&] {
    const Pair pair(GetParam());
    const auto reads_puback = [&](char id) {
      pair.peer_sends(puback(id));
      EXPECT_NE(library_polls(pair.ours(), kBoundMs), 0);
      EXPECT_EQ(library_reads(pair.ours(), 1), "\x40");
      EXPECT_EQ(library_reads(pair.ours(), 1), "\x02");
      char body[2] = {};
      errno = 0;
      return __wrap_recv(pair.ours(), body, 2, 0) == 2;
    };
    library_writes(pair.ours(), publish(0x34, 1));
    library_writes(pair.ours(), publish(0x34, 2));
    library_writes(pair.ours(), publish(0x32, 3));
    EXPECT_TRUE(reads_puback(3));
    library_writes(pair.ours(), publish(0x32, 2));  // the number is another message's by now
    EXPECT_TRUE(reads_puback(2));
    EXPECT_EQ(pair.link()->fault(), "");
    EXPECT_FALSE(reads_puback(1));
    EXPECT_EQ(errno, EPROTO);
    EXPECT_NE(pair.link()->fault().find("publish with QoS 1"), std::string::npos);
  });
}

TEST_P(WireLink, AHeldAcknowledgementLeavesWithTheFlushAfterItsRelease) {
  on_own_thread([] {
    const Pair pair(GetParam());
    const auto link = pair.link();
    const auto ticket = link->hold({AckKind::puback, 3});
    EXPECT_EQ(library_writes(pair.ours(), puback(3)), 4);
    EXPECT_EQ(library_writes(pair.ours(), kPing), 2);
    EXPECT_EQ(pair.peer_gets(2), kPing);
    link->release(AckKind::puback, ticket);
    EXPECT_EQ(link->held(), 1U);
    link->flush();
    EXPECT_EQ(pair.peer_gets(4), puback(3));
    EXPECT_EQ(link->held(), 0U);
  });
}

TEST_P(WireLink, AnAcknowledgementInPartsIsKnown) {
  on_own_thread([] {
    const Pair pair(GetParam());
    pair.link()->hold({AckKind::puback, 0x0102});
    char head[] = {0x40, 2};
    char id[] = {1, 2};
    const iovec parts[] = {{.iov_base = head, .iov_len = 2}, {.iov_base = id, .iov_len = 2}};
    EXPECT_EQ(__wrap_writev(pair.ours(), parts, 2), 4);
    pair.link()->flush();
    EXPECT_EQ(pair.link()->held(), 1U);
    EXPECT_EQ(pair.peer_has(), "");
  });
}

TEST_P(WireLink, ARepeatedPubrelIsHeldAndTold) {
  on_own_thread([] {
    const Pair pair(GetParam());
    const auto link = pair.link();
    std::vector<std::pair<std::uint16_t, Gate::Ticket>> told;
    link->on_repeated_pubrel([&](std::uint16_t id, Gate::Ticket t) { told.emplace_back(id, t); });
    library_writes(pair.ours(), ack_bytes(AckKind::pubcomp, 12));
    library_writes(pair.ours(), puback(13));
    link->flush();
    EXPECT_EQ(pair.peer_gets(4), puback(13));
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].first, 12);
    link->release(AckKind::pubcomp, told[0].second);
    link->flush();
    EXPECT_EQ(pair.peer_gets(4), ack_bytes(AckKind::pubcomp, 12));
  });
}

TEST_P(WireLink, NothingLeavesBetweenTheTwoPartsOfAPacket) {
  on_own_thread([] {
    const Pair pair(GetParam(), 4608);
    const auto link = pair.link();
    const auto ticket = link->hold({AckKind::puback, 1});
    library_writes(pair.ours(), puback(1));
    const std::string packet(1'000'000, 'p');
    const ssize_t part = library_writes(pair.ours(), packet);
    ASSERT_GT(part, 0);
    ASSERT_LT(static_cast<std::size_t>(part), packet.size());
    EXPECT_TRUE(link->library_waits());

    link->release(AckKind::puback, ticket);
    link->flush();
    std::thread([&] { link->flush(); }).join();
    auto done = static_cast<std::size_t>(part);
    std::string stream;
    const auto until = Clock::now() + kBound;
    while (done < packet.size() && Clock::now() < until) {
      stream += pair.peer_has();
      link->flush();
      const ssize_t more = library_writes(pair.ours(), std::string_view(packet).substr(done));
      if (more > 0) done += static_cast<std::size_t>(more);
    }
    EXPECT_FALSE(link->library_waits());
    // With the last part of the packet, without another flush.
    stream += pair.peer_gets(packet.size() + 4 - stream.size());
    EXPECT_TRUE(stream == packet + puback(1)) << stream.size();
  });
}

TEST_P(WireLink, WhileOurBytesWaitTheLibraryIsToldToTryAgain) {
  on_own_thread([] {
    const Pair pair(GetParam(), 4608);
    const auto link = pair.link();
    const std::size_t filler = pair.fill();
    std::string acks;
    for (std::uint16_t id = 1; id <= 100; ++id) {
      const auto ticket = link->hold({AckKind::pubrec, id});
      library_writes(pair.ours(), ack_bytes(AckKind::pubrec, id));
      link->release(AckKind::pubrec, ticket);
      acks += ack_bytes(AckKind::pubrec, id);
    }
    link->flush();
    EXPECT_TRUE(link->we_wait());
    errno = 0;
    EXPECT_EQ(library_writes(pair.ours(), kPing), -1);
    EXPECT_EQ(errno, EAGAIN);
    EXPECT_FALSE(link->library_waits());

    std::string stream;
    EXPECT_TRUE(polls_until(pair.ours(), [&] {
      stream += pair.peer_has();
      return !link->we_wait();
    }));
    EXPECT_EQ(library_writes(pair.ours(), kPing), 2);
    const std::string expected = std::string(filler, 'f') + acks + kPing;
    stream += pair.peer_gets(expected.size() - stream.size());
    EXPECT_TRUE(stream == expected) << stream.size() << " of " << expected.size();
  });
}

TEST_P(WireLink, AReleaseFromAnotherThreadLeavesWithItsFlush) {
  on_own_thread([] {
    const Pair pair(GetParam());
    const auto link = pair.link();
    EXPECT_EQ(library_polls(pair.ours(), 0), 0);
    const auto ticket = link->hold({AckKind::puback, 4});
    library_writes(pair.ours(), puback(4));
    std::thread([&] {
      link->release(AckKind::puback, ticket);
      link->flush();
    }).join();
    EXPECT_EQ(pair.peer_gets(4), puback(4));
  });
}

TEST_P(WireLink, TheNextOneWithTheSameNumberStartsClean) {
  on_own_thread([] {
    Pair first(GetParam());
    const int number = first.ours();
    const auto old = first.link();
    first.peer_sends("left over");
    ASSERT_NE(library_polls(number, kBoundMs), 0);
    EXPECT_EQ(library_reads(number, 1), "l");
    const auto ticket = old->hold({AckKind::puback, 1});
    library_writes(number, puback(1));
    const int peer = first.take_peer();
    first.close_ours();
    EXPECT_TRUE(old->gone());
    EXPECT_EQ(find_link(number), nullptr);
    EXPECT_EQ(old->held(), 0U);
    char byte = 0;
    EXPECT_EQ(::recv(peer, &byte, 1, 0) > 0, false);
    ::close(peer);

    const Pair second(GetParam());
    // Whatever number the system chose for it, it now has this one.
    ASSERT_GE(::dup2(second.ours(), number), 0);
    EXPECT_EQ(library_polls(number, 0), 0);
    errno = 0;
    EXPECT_EQ(__wrap_recv(number, &byte, 1, 0), -1);
    EXPECT_EQ(errno, EAGAIN);
    const auto link = find_link(number);
    ASSERT_NE(link, nullptr);
    EXPECT_NE(link, old);
    EXPECT_EQ(link->buffered(), 0U);
    link->hold({AckKind::puback, 1});
    library_writes(number, puback(1));
    old->release(AckKind::puback, ticket);
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
    constexpr int kPackets = 400;
    constexpr int kWorkers = 3;
    const Pair pair(GetParam(), 8192);
    const auto link = pair.link();
    std::atomic<bool> done{false};
    Mutex mutex;
    std::vector<Gate::Ticket> ready;
    const auto until = Clock::now() + kBound;

    std::thread library([&] {
      BodySizes sizes;
      for (int i = 0; i < kPackets && Clock::now() < until; ++i) {
        const auto id = static_cast<std::uint16_t>(i + 1);
        const auto ticket = link->hold({AckKind::puback, id});
        EXPECT_EQ(library_writes(pair.ours(), puback(id)), 4);
        {
          MutexLock lock(mutex);
          ready.push_back(ticket);
        }
        const std::string packet = packet_of(sizes.next());
        for (std::size_t at = 0; at < packet.size() && Clock::now() < until;) {
          const ssize_t sent = library_writes(pair.ours(), std::string_view(packet).substr(at));
          if (sent > 0) at += static_cast<std::size_t>(sent);
          pollfd p{.fd = pair.ours(), .events = POLLOUT, .revents = 0};
          if (at < packet.size()) ::poll(&p, 1, 5);
        }
      }
    });
    std::vector<std::thread> workers;
    for (int w = 0; w < kWorkers; ++w) {
      workers.emplace_back([&] {
        while (!done && Clock::now() < until) {
          std::vector<Gate::Ticket> mine;
          {
            MutexLock lock(mutex);
            mine.swap(ready);
          }
          std::reverse(mine.begin(), mine.end());
          for (const auto ticket : mine) {
            link->release(AckKind::puback, ticket);
            link->flush();
          }
          std::this_thread::yield();
        }
      });
    }
    std::string stream;
    std::vector<int> ids;
    std::thread peer([&] {
      while (ids.size() < kPackets && Clock::now() < until) {
        pollfd p{.fd = pair.peer(), .events = POLLIN, .revents = 0};
        ::poll(&p, 1, 20);
        char some[3000];
        const ssize_t got = ::recv(pair.peer(), some, sizeof some, 0);
        if (got > 0) stream.append(some, static_cast<std::size_t>(got));
        if (!only_whole_packets(stream, ids)) {
          ADD_FAILURE() << "a packet was split after acknowledgement " << ids.size();
          break;
        }
      }
      done = true;
    });
    EXPECT_TRUE(polls_until(pair.ours(), [&] { return done.load(); }));
    library.join();
    for (std::thread& worker : workers) worker.join();
    peer.join();
    ASSERT_EQ(ids.size(), static_cast<std::size_t>(kPackets));
    for (int i = 0; i < kPackets; ++i) ASSERT_EQ(ids[static_cast<std::size_t>(i)], i + 1);
  });
}

}  // namespace
}  // namespace triggerd::mqtt::wire::test
