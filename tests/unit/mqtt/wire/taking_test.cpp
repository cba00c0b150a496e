// What a link takes of what comes, in which order and batches, and what it makes of packets that
// may not come.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "mqtt/wire/link.hpp"
#include "mqtt/wire/receiver.hpp"
#include "unit/mqtt/wire/dialled.hpp"

namespace triggerd::mqtt::wire::test {
namespace {

using Happened = std::vector<std::string>;

std::string publish(std::string topic, std::uint8_t qos = 0, std::uint16_t id = 0,
                    std::uint8_t level = packet::k311) {
  return packet::encode(
      packet::Publish{.topic = std::move(topic), .payload = "p", .qos = qos, .packet_id = id},
      level);
}
std::string pubrel(std::uint16_t id) {
  return packet::encode(packet::PubRel{.packet_id = id});
}

// ---- What is taken ----

TEST(WireTaking, AMessageComesAsItWasSent) {
  on_own_thread([] {
    Dialled dialled({.v5 = true, .hold = true});
    dialled.connect();
    const std::string properties = packet::user_property("k", "v") + packet::u32_property(2, 60);
    dialled.server_sends(dialled.encode(packet::Publish{.topic = "a/b",
                                                        .payload = "payload",
                                                        .qos = 2,
                                                        .retain = true,
                                                        .dup = true,
                                                        .packet_id = 0x1234,
                                                        .properties = properties}));
    ASSERT_EQ(dialled.sink->got.size(), 1U);
    const Got& got = dialled.sink->got[0];
    EXPECT_EQ(got.kind, Taken::Kind::message);
    EXPECT_EQ(got.qos, 2);
    EXPECT_TRUE(got.dup);
    EXPECT_TRUE(got.retained);
    EXPECT_EQ(got.packet_id, 0x1234);
    EXPECT_EQ(got.topic, "a/b");
    EXPECT_EQ(got.properties, properties);
    EXPECT_EQ(got.payload, "payload");
    EXPECT_EQ(got.size, 10U);
    EXPECT_FALSE(got.own_memory);
    dialled.release(got);
    dialled.link->flush();
    EXPECT_EQ(dialled.pair.peer_has(), ack_bytes(AckKind::pubrec, 0x1234));
  });
}

TEST(WireTaking, OneOfMqtt5MayHaveNoTopicWhereItsAliasIsKnown) {
  on_own_thread([] {
    Dialled dialled({.v5 = true});
    dialled.connect();
    const std::string alias = packet::u16_property(0x23, 3);
    for (const char* topic : {"long/topic", ""}) {
      dialled.server_sends(dialled.encode(packet::Publish{.topic = topic, .properties = alias}));
    }
    EXPECT_EQ(dialled.sink->topics(), (std::vector<std::string>{"long/topic", ""}));
    EXPECT_EQ(dialled.sink->got[1].properties, alias);
    EXPECT_EQ(dialled.link->fault(), "");
  });
}

TEST(WireTaking, ALargeOneHasMemoryOfItsOwnAndANulBehindItsTopic) {
  on_own_thread([] {
    Dialled dialled;
    dialled.connect();
    for (const std::string topic : {"t", "a/longer/topic"}) {
      std::string payload(Inbound::kLarge, '\0');
      for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(i % 251);
      // In two, so that it is not all there at once.
      dialled.server_sends(
          dialled.encode(packet::Publish{.topic = topic, .payload = payload, .retain = true}),
          payload.size() / 2);
      ASSERT_FALSE(dialled.sink->got.empty());
      const Got& got = dialled.sink->got.back();
      EXPECT_TRUE(got.own_memory);
      EXPECT_TRUE(got.nul_behind_topic);
      EXPECT_EQ(got.topic, topic);
      EXPECT_TRUE(got.retained);
      EXPECT_TRUE(got.payload == payload);
    }
  });
}

TEST(WireTaking, ALargeOneOfMqtt5MayHaveNoTopicEither) {
  on_own_thread([] {
    Dialled dialled({.v5 = true});
    dialled.connect();
    const std::string payload(Inbound::kLarge, 'x');
    for (const char* topic : {"t", ""}) {
      const packet::Publish one{.topic = topic,
                                .payload = payload,
                                .qos = 1,
                                .packet_id = 1,
                                .properties = packet::u16_property(0x23, 1)};
      dialled.server_sends(dialled.encode(one), 5'000);
    }
    ASSERT_EQ(dialled.sink->got.size(), 2U) << dialled.link->fault();
    EXPECT_EQ(dialled.sink->got[1].topic, "");
    EXPECT_TRUE(dialled.sink->got[1].nul_behind_topic);
    EXPECT_EQ(dialled.sink->got[1].packet_id, 1);
    EXPECT_TRUE(dialled.sink->got[1].payload == payload);
  });
}

TEST(WireTaking, OneThatIsTooLargeIsToldWithoutItsPayloadAndAcknowledged) {
  on_own_thread([] {
    constexpr std::uint64_t kMost = 1'000;
    Dialled dialled({.max_message = kMost, .hold = true});
    dialled.connect();
    dialled.server_sends(
        dialled.encode(packet::Publish{.topic = "fits", .payload = std::string(kMost - 4, 'f')}));
    // The second would fit into memory, the third passes by.
    for (const std::size_t size : {kMost, std::size_t{17} << 20}) {
      dialled.server_sends(dialled.encode(packet::Publish{
          .topic = "large", .payload = std::string(size, 'l'), .qos = 1, .packet_id = 7}));
      ASSERT_FALSE(dialled.sink->got.empty());
      ASSERT_EQ(dialled.sink->got.back().kind, Taken::Kind::too_large);
      const Got& got = dialled.sink->got.back();
      EXPECT_EQ(got.topic, "large");
      EXPECT_EQ(got.packet_id, 7);
      EXPECT_EQ(got.payload, "");
      EXPECT_EQ(got.size, size + 5);
      EXPECT_FALSE(got.own_memory);
      EXPECT_EQ(dialled.pair.peer_has(), "");
      dialled.release(got);
      dialled.link->flush();
      EXPECT_EQ(dialled.pair.peer_has(), puback(7));
    }
    dialled.server_sends(publish("next"));
    EXPECT_EQ(dialled.sink->topics(), (std::vector<std::string>{"fits", "large", "large", "next"}));
  });
}

TEST(WireTaking, OneThatPassesByHasItsProperties) {
  on_own_thread([] {
    Dialled dialled({.v5 = true, .max_message = 1'000});
    dialled.connect();
    const std::string properties = packet::user_property("who", std::string(60'000, 'w'));
    dialled.server_sends(dialled.encode(packet::Publish{.topic = "large",
                                                        .payload = std::string(1 << 20, 'l'),
                                                        .qos = 2,
                                                        .packet_id = 9,
                                                        .properties = properties}));
    ASSERT_EQ(dialled.sink->got.size(), 1U) << dialled.link->fault();
    EXPECT_TRUE(dialled.sink->got[0].properties == properties);
    EXPECT_EQ(dialled.sink->got[0].size, (1U << 20) + 5);
  });
}

// More than is kept of them.
TEST(WireTaking, OneWithVeryLongPropertiesPassesByWithoutThem) {
  on_own_thread([] {
    Dialled dialled({.v5 = true, .max_message = 1'000});
    dialled.connect();
    std::string properties;
    while (properties.size() < (2U << 20)) {
      properties += packet::user_property("k", std::string(65'000, 'v'));
    }
    dialled.server_sends(dialled.encode(
        packet::Publish{.topic = "t", .qos = 1, .packet_id = 9, .properties = properties}));
    dialled.server_sends(publish("next", 0, 0, packet::k5));
    ASSERT_EQ(dialled.sink->happened, (Happened{"too large t", "end", "message next", "end"}))
        << dialled.link->fault();
    EXPECT_EQ(dialled.sink->got[0].properties, "");
    EXPECT_EQ(dialled.sink->got[0].packet_id, 9);
  });
}

TEST(WireTaking, WhatIsWrongInOneThatPassesByIsFound) {
  struct Case {
    const char* what;
    std::string packet;
  };
  const auto beginning = [](std::string_view body) {
    return packet::encode_header(packet::Type::publish, 2, 4 << 20) + std::string(body);
  };
  const Case cases[] = {{"properties", beginning(std::string_view("\0\1t\0\1\xff\xff\xff\x7f", 9))},
                        {"topic", beginning(std::string_view("\0\1+\0\1\xff\xff\x7f", 8))},
                        {"packet id", beginning(std::string_view("\0\1t\0\0\xff\xff\x7f", 8))}};
  for (const Case& one : cases) {
    on_own_thread([&] {
      Dialled dialled({.v5 = true, .max_message = 1'000});
      dialled.connect();
      dialled.server_sends(one.packet);
      const std::string rest(64'000, '\x01');
      for (int i = 0; i < 70 && dialled.link->fault().empty(); ++i) {
        ::send(dialled.pair.peer(), rest.data(), rest.size(), MSG_NOSIGNAL);
        dialled.turn();
      }
      EXPECT_NE(dialled.link->fault().find(one.what), std::string::npos) << dialled.link->fault();
      EXPECT_TRUE(dialled.sink->got.empty());
    });
  }
}

// ---- Order and batches ----

TEST(WireTaking, WhatIsTakenAndWhatIsTheLibrarysStayInOrder) {
  on_own_thread([] {
    Dialled dialled;
    dialled.writes(dialled.connect_packet());
    const std::string connack = dialled.encode(packet::ConnAck{});
    dialled.pair.peer_sends(connack + publish("a") + publish("b", 2, 1) + kPingAnswer + pubrel(1) +
                            puback(5) + puback(6) + publish("c"));
    Happened& happened = dialled.sink->happened;
    for (const std::string& expected : {connack, kPingAnswer, puback(5), puback(6)}) {
      EXPECT_EQ(dialled.library_takes(), expected);
      happened.emplace_back("library");
    }
    EXPECT_FALSE(dialled.turn());
    EXPECT_EQ(happened, (Happened{"library", "message a", "message b", "end", "library", "pubrel 1",
                                  "end", "library", "library", "message c", "end"}));
  });
}

TEST(WireTaking, ABatchIsAtMostOneRead) {
  on_own_thread([] {
    Dialled dialled;
    dialled.connect();
    constexpr std::size_t kMessages = 1'200;
    const std::string one = publish(std::string(95, 't'));
    std::string all;
    for (std::size_t i = 0; i < kMessages; ++i) all += one;
    ASSERT_GT(all.size(), Inbound::kAhead);
    dialled.pair.peer_sends(all);
    std::size_t before = 0;
    for (int turns = 1; dialled.sink->got.size() < kMessages; ++turns) {
      ASSERT_LT(turns, 10);
      dialled.turn();
      EXPECT_LE((dialled.sink->got.size() - before) * one.size(), Inbound::kAhead + one.size());
      EXPECT_EQ(dialled.sink->ends(), static_cast<std::size_t>(turns));
      before = dialled.sink->got.size();
    }
    EXPECT_GT(dialled.sink->ends(), 1U);
  });
}

// A thousand connections that had a busy moment keep little of it.
TEST(WireTaking, ManySmallOnesAreHandedOverInParts) {
  on_own_thread([] {
    Dialled dialled;
    dialled.connect();
    std::string all;
    for (int i = 0; i < 5'000; ++i) all += publish("t");
    ASSERT_LT(all.size(), Inbound::kAhead);
    dialled.server_sends(all);
    EXPECT_EQ(dialled.sink->got.size(), 5'000U);
    EXPECT_LE(*std::max_element(dialled.sink->calls.begin(), dialled.sink->calls.end()), 128U);
    EXPECT_EQ(dialled.sink->ends(), 1U) << "and are one batch";
  });
}

// Of 16 KiB and more: a queue of a hundred must not get a thousand.
TEST(WireTaking, ABatchOfLargeMessagesIsAtMostOneReadToo) {
  on_own_thread([] {
    Dialled dialled;
    dialled.connect();
    const std::string one =
        dialled.encode(packet::Publish{.topic = "t", .payload = std::string(Inbound::kLarge, 'l')});
    std::string all;
    for (int i = 0; i < 9; ++i) all += one;
    dialled.pair.peer_sends(all);
    std::size_t before = 0;
    for (int turns = 0; dialled.sink->got.size() < 9; ++turns) {
      ASSERT_LT(turns, 100);
      dialled.turn();
      EXPECT_LE(dialled.sink->got.size() - before, Inbound::kAhead / one.size() + 1);
      before = dialled.sink->got.size();
    }
    EXPECT_EQ(dialled.sink->happened.back(), "end");
  });
}

TEST(WireTaking, APauseWithinABatchKeepsTheNextReadAway) {
  on_own_thread([] {
    Dialled dialled;
    dialled.connect();
    dialled.sink->on_each = [](Link& link, const Got& got) {
      if (got.topic == "a") link.pause();
    };
    dialled.server_sends(publish("a") + publish("b"));
    dialled.server_sends(publish("c"));
    for (int i = 0; i < 3; ++i) EXPECT_FALSE(dialled.turn());
    EXPECT_EQ(dialled.sink->happened, (Happened{"message a", "message b", "end"}));
    EXPECT_TRUE(sleeps_in_poll(dialled.pair.ours()));
    dialled.link->resume();
    dialled.turn();
    EXPECT_EQ(dialled.sink->topics(), (std::vector<std::string>{"a", "b", "c"}));
  });
}

TEST(WireTaking, APauseKeepsWhatWasReadAndResumeGoesOnWithIt) {
  on_own_thread([] {
    Dialled dialled;
    dialled.connect();
    dialled.sink->on_each = [](Link& link, const Got&) { link.pause(); };
    dialled.server_sends(publish("a") + kPingAnswer + publish("b") + kPingAnswer);
    EXPECT_FALSE(dialled.turn()) << "the library waits as well";
    EXPECT_TRUE(sleeps_in_poll(dialled.pair.ours()));
    for (const char* topic : {"a", "b"}) {
      EXPECT_EQ(dialled.sink->topics().back(), topic);
      // Nothing more comes from the server, so only the wake says it.
      std::thread other([&] { dialled.link->resume(); });
      EXPECT_EQ(library_polls(dialled.pair.ours(), kBoundMs), POLLIN);
      other.join();
      EXPECT_EQ(dialled.library_takes(), kPingAnswer);
      dialled.turn();
    }
    EXPECT_EQ(dialled.sink->topics(), (std::vector<std::string>{"a", "b"}));
  });
}

// The answer to what was asked stands behind messages: it is read up to there, and no further.
TEST(WireTaking, APauseWaitsForTheAnswerOfTheServer) {
  on_own_thread([] {
    Dialled dialled;
    dialled.connect();
    dialled.link->pause();
    ASSERT_TRUE(dialled.link->paused());
    dialled.writes(std::string("\x82\x06\0\x01\0\x01x\x01", 8));
    EXPECT_FALSE(dialled.link->paused());
    const std::string answer("\x90\x03\0\x01\x01", 5);
    dialled.server_sends(publish("before") + answer + publish("behind"));
    EXPECT_EQ(dialled.sink->topics(), std::vector<std::string>{"before"});
    EXPECT_EQ(dialled.library_takes(), answer);
    EXPECT_TRUE(dialled.link->paused());
    EXPECT_FALSE(dialled.turn());
    EXPECT_EQ(dialled.sink->topics(), std::vector<std::string>{"before"});
    dialled.link->resume();
    EXPECT_FALSE(dialled.turn());
    EXPECT_EQ(dialled.sink->topics(), (std::vector<std::string>{"before", "behind"}));
  });
}

// ---- What may not come ----

TEST(WireTaking, WhatCameBeforeAWrongPacketIsHandedOver) {
  for (const bool v5 : {false, true}) {
    on_own_thread([v5] {
      Dialled dialled({.v5 = v5});
      dialled.connect();
      const std::uint8_t level = dialled.level();
      dialled.server_sends(publish("a", 1, 1, level) + publish("b", 0, 0, level) +
                           publish("+", 1, 2, level) + publish("c", 0, 0, level));
      EXPECT_EQ(dialled.sink->topics(), (std::vector<std::string>{"a", "b"}));
      EXPECT_EQ(dialled.sink->happened.back(), "end");
      // A server of MQTT 5 is told why; that all is well it is not told any more.
      EXPECT_EQ(dialled.pair.peer_has(), v5 ? "\xe0\x01\x90" : "");
      EXPECT_NE(dialled.link->fault().find("the packet begins with 32 0"), std::string::npos)
          << dialled.link->fault();
      EXPECT_TRUE(dialled.turn());
      EXPECT_EQ(dialled.library_finds(), EPROTO);
      EXPECT_GT(dialled.writes(kPingRequest), 0);
      dialled.server_sends(publish("d", 0, 0, level));
      EXPECT_EQ(dialled.pair.peer_has(), "");
      EXPECT_EQ(dialled.sink->got.size(), 2U);
    });
  }
}

TEST(WireTaking, ALengthOfFiveBytesIsNone) {
  on_own_thread([] {
    Dialled dialled({.v5 = true});
    dialled.connect();
    dialled.server_sends(publish("a", 0, 0, packet::k5) + "\x30\x80\x80\x80\x80\x01");
    EXPECT_EQ(dialled.sink->topics(), std::vector<std::string>{"a"});
    EXPECT_EQ(dialled.pair.peer_has(), "\xe0\x01\x81");
    EXPECT_NE(dialled.link->fault().find("more than four bytes"), std::string::npos);
  });
}

TEST(WireTaking, MoreThanReceiveMaximumIsNotTaken) {
  for (const std::uint8_t qos : {std::uint8_t{1}, std::uint8_t{2}}) {
    on_own_thread([qos] {
      Dialled dialled({.v5 = true, .receive_maximum = 2, .hold = true});
      dialled.connect();
      const Got first = dialled.message(1, qos);
      dialled.message(2, qos);
      if (qos == 2) {
        dialled.message(2, qos);  // repeated: it is no other message
        dialled.release(first);
        dialled.server_sends(pubrel(1));
        EXPECT_EQ(dialled.link->fault(), "");
        dialled.release(dialled.sink->got.back());
      } else {
        dialled.release(first);
      }
      dialled.link->flush();  // its PUBACK, or its PUBCOMP: now it is confirmed
      dialled.pair.peer_has();
      dialled.message(3, qos);
      EXPECT_EQ(dialled.link->fault(), "");

      const std::size_t before = dialled.sink->got.size();
      // That the packet behind it is wrong as well is not told a second time.
      dialled.server_sends(publish("many", qos, 4, packet::k5) + publish("+", 0, 0, packet::k5));
      EXPECT_EQ(dialled.sink->got.size(), before);
      EXPECT_EQ(dialled.pair.peer_has(), "\xe0\x01\x93");
      EXPECT_NE(dialled.link->fault().find("receive_maximum (2)"), std::string::npos)
          << dialled.link->fault();
      EXPECT_EQ(dialled.library_finds(), EPROTO);
    });
  }
}

TEST(WireTaking, MessagesOfBothKindsCountForReceiveMaximumAndThoseOfQos0DoNot) {
  on_own_thread([] {
    Dialled dialled({.v5 = true, .receive_maximum = 2, .hold = true});
    dialled.connect();
    dialled.message(1, 1);
    dialled.message(2, 2);
    for (int i = 0; i < 5; ++i) dialled.message(0, 0);
    EXPECT_EQ(dialled.link->fault(), "");
    dialled.server_sends(publish("a", 0, 0, packet::k5) + publish("b", 1, 3, packet::k5));
    EXPECT_EQ(dialled.sink->topics().back(), "a") << "what came before it in its batch is in order";
    EXPECT_EQ(dialled.pair.peer_has(), "\xe0\x01\x93");
  });
}

TEST(WireTaking, AGreetingThatIsNoMqttIsNamed) {
  on_own_thread([] {
    Dialled dialled;
    dialled.writes(dialled.connect_packet());
    dialled.server_sends("SSH-2.0-OpenSSH_9.2\r\n");
    EXPECT_EQ(dialled.library_finds(), EPROTO);
    EXPECT_NE(dialled.link->fault().find("speaks SSH, not MQTT"), std::string::npos);
    EXPECT_EQ(dialled.link->greeting(), "SSH-2.0-OpenSSH_9.2\r\n");
  });
}

// ---- Ends ----

TEST(WireTaking, APartOfAPacketAtTheEndIsNothing) {
  on_own_thread([] {
    Dialled dialled;
    dialled.connect();
    const std::string last = publish("b", 1, 2);
    dialled.pair.peer_sends(publish("a", 1, 1) + last.substr(0, last.size() - 1));
    dialled.pair.close_peer();
    for (int i = 0; i < 3; ++i) dialled.turn();
    EXPECT_EQ(dialled.sink->happened, (Happened{"message a", "end"}));
    EXPECT_EQ(dialled.library_finds(), 0);
    EXPECT_EQ(dialled.link->fault(), "");
  });
}

TEST(WireTaking, WhatCameBeforeTheEndIsTaken) {
  on_own_thread([] {
    Dialled dialled;
    dialled.connect();
    dialled.pair.peer_sends(publish("a") + kPingAnswer + publish("b"));
    dialled.pair.close_peer();
    EXPECT_EQ(dialled.library_takes(), kPingAnswer);
    EXPECT_EQ(dialled.library_finds(), 0);
    EXPECT_EQ(dialled.sink->topics(), (std::vector<std::string>{"a", "b"}));
  });
}

TEST(WireTaking, NothingIsTakenOnceDisconnectWasWritten) {
  on_own_thread([] {
    Dialled dialled;
    dialled.connect();
    dialled.writes(dialled.encode(packet::Disconnect{}));
    const std::string many = publish(std::string(1'000, 't'));
    for (int i = 0; i < 200; ++i) dialled.server_sends(many);
    EXPECT_TRUE(dialled.sink->got.empty());
    EXPECT_EQ(dialled.library_finds(), EAGAIN) << "the server has not ended it";
    dialled.pair.peer_has();
    dialled.pair.close_peer();
    EXPECT_EQ(dialled.library_finds(), 0);
  });
}

TEST(WireTaking, NothingIsTakenOnceItIsClosed) {
  on_own_thread([] {
    Dialled dialled({.hold = true});
    dialled.connect();
    const Got got = dialled.message(1);
    dialled.pair.peer_sends(publish("late"));
    const auto link = dialled.link;
    dialled.pair.close_ours();
    link->receive();
    link->take();
    link->end_batch();
    EXPECT_EQ(dialled.sink->got.size(), 1U);
    EXPECT_EQ(link->look(Clock::now()), Monotonic::max());
    dialled.release(got);
    link->flush();
    EXPECT_EQ(link->held(), 0U);
  });
}

TEST(WireTaking, OneThatIsClosedWhileItHandsOverEndsThere) {
  on_own_thread([] {
    Dialled dialled;
    dialled.connect();
    dialled.sink->on_each = [&](Link& link, const Got&) { link.shut_down(); };
    dialled.server_sends(publish("a") + kPingAnswer + publish("b"));
    EXPECT_EQ(dialled.sink->happened, (Happened{"message a", "end"}));
  });
}

// ---- Without a sink ----

TEST(WireTaking, WithoutASinkAllIsForTheLibrary) {
  on_own_thread([] {
    const Pair pair;
    library_writes(pair.ours(), packet::encode(packet::Connect{.client_id = "c"}));
    const auto takes = [&pair] {
      if ((library_polls(pair.ours(), 0) & POLLIN) == 0) return std::string();
      return read_packet([&pair](std::size_t size) { return library_reads(pair.ours(), size); });
    };
    const std::string large =
        packet::encode(packet::Publish{.topic = "large", .payload = std::string(100'000, 'l')});
    pair.peer_sends(packet::encode(packet::ConnAck{}) + publish("a", 2, 1) + pubrel(1) + large);
    std::vector<std::string> all;
    for (int i = 0; i < 10 && all.size() < 4; ++i) {
      if (std::string one = takes(); !one.empty()) all.push_back(std::move(one));
    }
    ASSERT_EQ(all.size(), 4U);
    EXPECT_EQ(all[1], publish("a", 2, 1));
    EXPECT_EQ(all[2], pubrel(1));
    EXPECT_TRUE(all[3] == large);
    // Half of one would be worse than none.
    const std::string largest = packet::encode(
        packet::Publish{.topic = "largest", .payload = std::string(std::size_t{2} << 20, 'l')});
    std::string_view rest = largest;
    while (!rest.empty()) {
      const ssize_t sent = ::send(pair.peer(), rest.data(), rest.size(), MSG_NOSIGNAL);
      if (sent > 0) rest.remove_prefix(static_cast<std::size_t>(sent));
      ASSERT_EQ(library_polls(pair.ours(), 0), 0);
    }
    pair.peer_sends(kPingAnswer);
    EXPECT_EQ(library_polls(pair.ours(), kBoundMs), POLLIN);
    EXPECT_EQ(takes(), kPingAnswer);
  });
}

// ---- Memory ----

// A thousand connections that wait have nothing to keep.
TEST(WireTaking, AConnectionThatWaitsHasNoMemoryForReadingAhead) {
  on_own_thread([] {
    Dialled dialled;
    dialled.connect();
    Receiver& receiver = Receiver::of_this_thread();
    auto buffer = receiver.take_buffer(Inbound::kAhead);
    const char* const known = buffer.get();
    const auto came_back = [&] {
      buffer = receiver.take_buffer(Inbound::kAhead);
      return buffer.get() == known;
    };
    receiver.give_buffer(std::move(buffer));
    dialled.server_sends(publish("a"));
    EXPECT_TRUE(came_back());
    receiver.give_buffer(std::move(buffer));
    dialled.server_sends(kPingAnswer);
    EXPECT_EQ(dialled.library_takes(), kPingAnswer);
    dialled.turn();
    EXPECT_TRUE(came_back()) << "what the library has read is gone as well";
  });
}

}  // namespace
}  // namespace triggerd::mqtt::wire::test
