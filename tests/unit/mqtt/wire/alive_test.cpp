// Keep-alive of one connection, at times that are made up; and that the receive thread looks at it.
#include <gtest/gtest.h>

#include <string>

#include "mqtt/wire/link.hpp"
#include "support/fake_clock.hpp"
#include "unit/mqtt/wire/any_websocket.hpp"
#include "unit/mqtt/wire/dialled.hpp"
#include "unit/mqtt/wire/websocket_server.hpp"

namespace triggerd::mqtt::wire::test {
namespace {

constexpr Millis kKeepAlive{60'000};

// A connection that is up, and a clock that stands still unless a test turns it.
struct Alive {
  explicit Alive(Dial dial = {.keep_alive = kKeepAlive}, int room = 0)
      : dialled(at_clock(std::move(dial)), Pair::Kind::local, room), began(clock.now()) {
    dialled.connect();
  }
  // When to look again.
  Monotonic look(Millis after) {
    clock.advance(std::chrono::duration_cast<Millis>(began + after - clock.now()));
    return dialled.link->look(clock.now());
  }
  std::string sent() const { return dialled.pair.peer_has(); }

  triggerd::test::FakeClock clock;
  Dialled dialled;
  const Monotonic began;

 private:
  Dial at_clock(Dial dial) const {
    dial.clock = &clock;
    return dial;
  }
};

TEST(WireAlive, APingLeavesOnceItIsDueAndAnAnswerIsEnough) {
  on_own_thread([] {
    Alive alive;
    const Monotonic due = alive.began + kKeepAlive;
    EXPECT_EQ(alive.look(Millis(0)), due);
    EXPECT_EQ(alive.look(Millis(30'000)), due);
    EXPECT_EQ(alive.sent(), "");
    EXPECT_EQ(alive.look(Millis(60'000)), alive.began + Millis(90'000));
    EXPECT_EQ(alive.sent(), kPingRequest);
    EXPECT_EQ(alive.look(Millis(89'999)), alive.began + Millis(90'000));
    EXPECT_EQ(alive.sent(), "") << "one is enough";
    alive.dialled.server_sends(kPingAnswer);
    EXPECT_EQ(alive.dialled.library_takes(), kPingAnswer);
    EXPECT_EQ(alive.look(Millis(90'000)), alive.began + Millis(120'000))
        << "the ping was sent then";
    EXPECT_FALSE(alive.dialled.link->ended());
  });
}

TEST(WireAlive, WithoutAnAnswerItEndsHalfAKeepAliveLater) {
  on_own_thread([] {
    Alive alive;
    alive.look(Millis(60'000));
    alive.look(Millis(89'999));
    EXPECT_FALSE(alive.dialled.link->ended());
    EXPECT_EQ(alive.look(Millis(90'000)), Monotonic::max());
    EXPECT_TRUE(alive.dialled.link->ended());
    EXPECT_EQ(alive.dialled.library_finds(), EPROTO);
    const std::string fault = alive.dialled.link->fault();
    EXPECT_EQ(
        fault,
        "the server has been silent for 1m30s, and has not answered a ping; keep_alive is 1m");
    EXPECT_EQ(alive.look(Millis(500'000)), Monotonic::max());
  });
}

TEST(WireAlive, TheFaultSaysForHowLongItWasSilent) {
  on_own_thread([] {
    Alive alive;
    // The receive thread was kept from looking: what it tells is what was.
    alive.look(Millis(600'000));
    alive.look(Millis(1'200'000));
    const std::string fault = alive.dialled.link->fault();
    EXPECT_NE(fault.find("silent for 20m"), std::string::npos) << fault;
  });
}

TEST(WireAlive, WhateverComesIsAnAnswer) {
  on_own_thread([] {
    Alive alive;
    alive.look(Millis(60'000));
    alive.dialled.server_sends("\x30");  // not even a whole packet
    alive.look(Millis(90'000));
    EXPECT_FALSE(alive.dialled.link->ended()) << alive.dialled.link->fault();
  });
}

// A server closes a connection on which nothing comes from us, whatever it sends itself.
TEST(WireAlive, APingIsDueThoughTheServerSends) {
  on_own_thread([] {
    Alive alive;
    alive.dialled.message(0, 0);
    alive.look(Millis(60'000));
    EXPECT_EQ(alive.sent(), kPingRequest);
  });
}

TEST(WireAlive, APingOfTheLibraryCounts) {
  on_own_thread([] {
    Alive alive;
    alive.dialled.writes(kPingRequest);
    EXPECT_EQ(alive.sent(), kPingRequest);
    EXPECT_EQ(alive.look(Millis(0)), alive.began + kKeepAlive / 2);
    alive.look(Millis(60'000));
    EXPECT_EQ(alive.sent(), "");
    EXPECT_TRUE(alive.dialled.link->ended());
  });
}

// The library pings by a clock of its own, up to five seconds late: the first ping is the one that
// has to be answered in time.
TEST(WireAlive, ASecondPingGivesTheServerNoMoreTime) {
  on_own_thread([] {
    Alive alive;
    alive.dialled.writes(kPingRequest);
    const Monotonic overdue = alive.look(Millis(0));
    alive.clock.advance(Millis(5'000));
    alive.dialled.writes(kPingRequest);
    EXPECT_EQ(alive.look(Millis(5'000)), overdue);
    alive.dialled.server_sends(kPingAnswer);
    EXPECT_EQ(alive.dialled.library_takes(), kPingAnswer);
    alive.dialled.writes(kPingRequest);
    EXPECT_EQ(alive.look(Millis(5'000)), overdue + Millis(5'000))
        << "after an answer it is another one";
  });
}

TEST(WireAlive, NothingIsJudgedWhileItIsPaused) {
  on_own_thread([] {
    Alive alive;
    alive.look(Millis(60'000));
    EXPECT_EQ(alive.sent(), kPingRequest);
    alive.dialled.link->pause();
    for (int minute = 1; minute < 60; ++minute) {
      EXPECT_GT(alive.look(Millis(minute * 60'000)), alive.began + Millis(minute * 60'000));
    }
    EXPECT_FALSE(alive.dialled.link->ended());
    alive.dialled.link->resume();
    alive.look(Millis(59 * 60'000 + 1));
    EXPECT_FALSE(alive.dialled.link->ended()) << "it has all the time to answer";
  });
}

TEST(WireAlive, WithoutAKeepAliveNothingIsDue) {
  on_own_thread([] {
    Alive alive(Dial{});
    EXPECT_EQ(alive.look(Millis(600'000)), Monotonic::max());
    EXPECT_EQ(alive.sent(), "");
  });
}

TEST(WireAlive, NothingIsSentBeforeConnack) {
  on_own_thread([] {
    const Dialled dialled({.keep_alive = kKeepAlive});
    dialled.writes(dialled.connect_packet());
    dialled.pair.peer_has();
    const Monotonic now = Clock::now() + std::chrono::hours(1);
    EXPECT_GT(dialled.link->look(now), now);
    EXPECT_EQ(dialled.pair.peer_has(), "");
    EXPECT_FALSE(dialled.link->ended());
  });
}

TEST(WireAlive, OnceDisconnectWasWrittenNothingIsDue) {
  on_own_thread([] {
    Alive alive;
    alive.dialled.writes(alive.dialled.encode(packet::Disconnect{}));
    EXPECT_EQ(alive.look(Millis(600'000)), Monotonic::max());
    EXPECT_FALSE(alive.dialled.link->ended());
  });
}

// A ping cannot leave in the midst of it; as long as the server takes of it, the server is there.
TEST(WireAlive, ALargePacketThatTakesLongIsNoSilence) {
  on_own_thread([] {
    Alive alive({.keep_alive = kKeepAlive}, 4608);
    const std::string packet(1'000'000, 'p');
    const ssize_t part = alive.dialled.writes(packet);
    ASSERT_GT(part, 0);
    ASSERT_TRUE(alive.dialled.link->library_waits());
    alive.look(Millis(60'000));
    EXPECT_FALSE(alive.dialled.link->ended()) << alive.dialled.link->fault();
    std::string taken;
    std::string_view rest = std::string_view(packet).substr(static_cast<std::size_t>(part));
    while (!rest.empty()) {
      taken += alive.sent();
      const ssize_t more = alive.dialled.writes(rest);
      if (more > 0) rest.remove_prefix(static_cast<std::size_t>(more));
    }
    alive.look(Millis(120'000));
    EXPECT_FALSE(alive.dialled.link->ended()) << alive.dialled.link->fault();
    taken += alive.dialled.pair.peer_gets(packet.size() + 2 - taken.size());
    EXPECT_TRUE(taken == packet + kPingRequest) << "that is when it is asked";
  });
}

TEST(WireAlive, AServerThatTakesNothingOfALargePacketIsSilent) {
  on_own_thread([] {
    Alive alive({.keep_alive = kKeepAlive}, 4608);
    ASSERT_GT(alive.dialled.writes(std::string(1'000'000, 'p')), 0);
    ASSERT_TRUE(alive.dialled.link->library_waits());
    alive.look(Millis(60'000));
    Monotonic next = alive.look(Millis(80'000));
    EXPECT_FALSE(alive.dialled.link->ended());
    for (int i = 0; i < 10 && next != Monotonic::max(); ++i) {
      next = alive.look(std::chrono::duration_cast<Millis>(next - alive.began));
    }
    EXPECT_TRUE(alive.dialled.link->ended());
    EXPECT_NE(alive.dialled.link->fault().find("silent"), std::string::npos);
  });
}

TEST(WireAlive, TheReceiveThreadLooksAtAConnectionThatCameUpWhileItWaited) {
  on_own_thread([] {
    Dialled dialled({.keep_alive = Millis(200)});
    dialled.writes(dialled.connect_packet());
    dialled.turn();  // CONNACK has not come
    dialled.pair.peer_has();
    const std::string connack = dialled.encode(packet::ConnAck{});
    dialled.server_sends(connack);
    EXPECT_EQ(dialled.library_takes(), connack);
    EXPECT_TRUE(polls_until(dialled.pair.ours(), [&] { return dialled.link->ended(); }));
    EXPECT_EQ(dialled.pair.peer_has(), kPingRequest);
    EXPECT_NE(library_polls(dialled.pair.ours(), 0) & POLLIN, 0);
    EXPECT_EQ(dialled.library_finds(), EPROTO);
  });
}

TEST(WireAlive, OneOfAWebSocketIsAFrame) {
  on_own_thread([] {
    const Dialled dialled(
        {.websocket = WebSocket::Target{.host = "h", .path = "/"}, .keep_alive = kKeepAlive});
    dialled.writes(dialled.connect_packet());
    dialled.server_sends(accepts(dialled.pair.peer_has()) +
                         server_frame(dialled.encode(packet::ConnAck{})));
    dialled.library_takes();
    dialled.pair.peer_has();
    dialled.link->look(Clock::now() + kKeepAlive);
    const auto frames = client_frames(dialled.pair.peer_has());
    ASSERT_TRUE(frames && frames->size() == 1);
    EXPECT_EQ(frames->front().payload, kPingRequest);
  });
}

}  // namespace
}  // namespace triggerd::mqtt::wire::test
