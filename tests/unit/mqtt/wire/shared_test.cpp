// A connection on which not only the library publishes: what was sent beside it, and whose the
// answers are.
#include <gtest/gtest.h>

#include "mqtt/packet/publish_packet.hpp"
#include "unit/mqtt/wire/dialled.hpp"

namespace triggerd::mqtt::wire::test {
namespace {

using Kind = PublishAnswer::Kind;

std::string publish(std::uint16_t id, int qos = 1) {
  std::string bytes;
  append_publish(bytes, {.topic = "up", .payload = "p", .qos = qos, .packet_id = id});
  return bytes;
}

TEST(WireShared, AnswersToWhatWasSentBesideItDoNotReachTheLibrary) {
  on_own_thread([] {
    Dialled dialled({.shared = true});
    dialled.connect();
    const std::string sent = publish(0x8000) + publish(0x8001, 2);
    ASSERT_TRUE(dialled.link->send(sent, {0, publish(0x8000).size()}));
    EXPECT_EQ(dialled.pair.peer_gets(sent.size()), sent);
    dialled.server_sends(packet::encode(packet::PubAck{0x8000}) +
                         packet::encode(packet::PubRec{0x8001}) +
                         packet::encode(packet::PubComp{0x8001}));
    EXPECT_EQ(dialled.library_takes(), "");
    ASSERT_EQ(dialled.sink->answers.size(), 3U);
    EXPECT_EQ(dialled.sink->answers[0].packet_id, 0x8000);
    EXPECT_EQ(dialled.sink->answers[1].kind, Kind::pubrec);
    EXPECT_EQ(dialled.sink->answers[2].kind, Kind::pubcomp);
  });
}

TEST(WireShared, TheLibraryGetsTheAnswersToItsOwn) {
  on_own_thread([] {
    Dialled dialled({.shared = true});
    dialled.connect();
    const std::string own = publish(1, 2);
    ASSERT_EQ(dialled.writes(own), static_cast<ssize_t>(own.size()));
    const std::string pubrec = packet::encode(packet::PubRec{1});
    const std::string pubcomp = packet::encode(packet::PubComp{1});
    dialled.server_sends(pubrec);
    EXPECT_EQ(dialled.library_takes(), pubrec);
    dialled.server_sends(pubcomp);
    EXPECT_EQ(dialled.library_takes(), pubcomp);
    EXPECT_TRUE(dialled.sink->answers.empty());
    dialled.server_sends(pubcomp);
    EXPECT_EQ(dialled.library_takes(), "");
    EXPECT_EQ(dialled.sink->answers.size(), 1U) << "it awaits no other";
  });
}

TEST(WireShared, APubrelOfTheLibraryAwaitsItsAnswerOnAnotherConnection) {
  on_own_thread([] {
    Dialled dialled({.shared = true});
    dialled.connect();
    const std::string pubrel = packet::encode(packet::PubRel{7});
    ASSERT_EQ(dialled.writes(pubrel), static_cast<ssize_t>(pubrel.size()));
    const std::string pubcomp = packet::encode(packet::PubComp{7});
    dialled.server_sends(pubcomp);
    EXPECT_EQ(dialled.library_takes(), pubcomp);
  });
}

TEST(WireShared, APingOfTheLibraryWaitsBehindWhatFindsNoRoom) {
  on_own_thread([] {
    Dialled dialled({.shared = true}, Pair::Kind::tcp, 4'096);
    dialled.connect();
    std::string large;
    append_publish(large, {.topic = "up", .payload = std::string(8'000'000, 'x'), .packet_id = 9});
    ASSERT_TRUE(dialled.link->send(large, {0}));
    ASSERT_GT(dialled.link->unsent(), 262'144U);
    const std::string ping("\xc0\x00", 2);
    const std::size_t before = dialled.link->unsent();
    EXPECT_EQ(dialled.writes(ping), 2);
    EXPECT_EQ(dialled.link->unsent(), before + 2);
    EXPECT_LT(dialled.writes(publish(1)), 0) << "nothing else is taken";
  });
}

TEST(WireShared, WhereBothUseOnePacketIdTheFirstAnswerIsTheLibrarys) {
  on_own_thread([] {
    Dialled dialled({.shared = true});
    dialled.connect();
    const std::string own = publish(0x8000);
    ASSERT_EQ(dialled.writes(own), static_cast<ssize_t>(own.size()));
    ASSERT_TRUE(dialled.link->send(publish(0x8000), {0}));
    const std::string puback = packet::encode(packet::PubAck{0x8000});
    dialled.server_sends(puback);
    EXPECT_EQ(dialled.library_takes(), puback);
    dialled.server_sends(puback);
    EXPECT_EQ(dialled.sink->answers.size(), 1U);
  });
}

TEST(WireShared, APubackForQosTwoEndsTheConnection) {
  on_own_thread([] {
    Dialled dialled({.shared = true});
    dialled.connect();
    ASSERT_TRUE(dialled.link->send(publish(0x8000, 2), {0}));
    dialled.server_sends(packet::encode(packet::PubAck{0x8000}));
    EXPECT_NE(dialled.link->fault(), "");
    EXPECT_TRUE(dialled.sink->answers.empty());
  });
}

TEST(WireShared, NothingIsSentOnceItHasEnded) {
  on_own_thread([] {
    Dialled dialled({.shared = true});
    dialled.connect();
    dialled.link->end("no more");
    EXPECT_FALSE(dialled.link->send(publish(0x8000), {0}));
  });
}

TEST(WireShared, OtherConnectionsKeepAllForTheLibrary) {
  on_own_thread([] {
    Dialled dialled;
    dialled.connect();
    const std::string puback = packet::encode(packet::PubAck{0x8000});
    dialled.server_sends(puback);
    EXPECT_EQ(dialled.library_takes(), puback);
  });
}

}  // namespace
}  // namespace triggerd::mqtt::wire::test
