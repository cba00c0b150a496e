#include "support/scripted_broker.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "support/port.hpp"

namespace triggerd::test {
namespace {

using packet::encode;
using Ended = ConnectionRecord::Ended;

// A client that says what it is told, byte by byte.
class RawClient {
 public:
  explicit RawClient(const ScriptedBroker& broker) : fd_(connect_loopback(broker.port())) {}

  void send(const std::string& bytes) {
    ASSERT_EQ(::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  void send(const packet::Any& packet) { send(encode(packet)); }
  // Exactly `size` bytes, or fewer where the connection ended before.
  std::string read(std::size_t size) {
    std::string bytes(size, '\0');
    const ssize_t got = ::recv(fd_.get(), bytes.data(), size, MSG_WAITALL);
    error_ = got < 0 ? errno : 0;
    bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return bytes;
  }
  std::string read_as_much_as(const packet::Any& packet) { return read(encode(packet).size()); }
  int error() const { return error_; }
  void close() { fd_.reset(); }

 private:
  UniqueFd fd_;
  int error_ = 0;
};

#define EXPECT_READS(client, packet) EXPECT_EQ((client).read_as_much_as(packet), encode(packet))

TEST(ScriptedBroker, AnswersAsAWillingServer) {
  ScriptedBroker broker;
  RawClient client(broker);
  client.send(packet::Connect{"edge"});
  EXPECT_READS(client, (packet::ConnAck{false, 0}));
  client.send(packet::Subscribe{5, {{"a", 1}, {"b", 2}}});
  EXPECT_READS(client, (packet::SubAck{5, {1, 2}}));
  client.send(packet::Unsubscribe{6, {"a"}});
  EXPECT_READS(client, packet::UnsubAck{6});
  client.send(packet::Publish{"t", "qos 0", 0, false, false, 0});
  client.send(packet::Publish{"t", "qos 1", 1, false, false, 7});
  EXPECT_READS(client, packet::PubAck{7});
  client.send(packet::Publish{"t", "qos 2", 2, false, false, 8});
  EXPECT_READS(client, packet::PubRec{8});
  client.send(packet::PubRel{8});
  EXPECT_READS(client, packet::PubComp{8});
  client.send(packet::PubRec{9});
  EXPECT_READS(client, packet::PubRel{9});
  client.send(packet::PingReq{});
  EXPECT_READS(client, packet::PingResp{});
  client.send(packet::Disconnect{});
  EXPECT_EQ(client.read(1), "");
  EXPECT_EQ(broker.wait_for_end(0), Ended::by_broker);
}

TEST(ScriptedBroker, RecordsPacketsOfAllConnections) {
  ScriptedBroker broker;
  RawClient one(broker);
  packet::Connect connect{"one", false, 30};
  connect.will = packet::Will{"state", "lost", 1, true};
  one.send(connect);
  EXPECT_READS(one, packet::ConnAck{});
  RawClient two(broker);
  two.send(packet::Connect{"two"});
  EXPECT_READS(two, packet::ConnAck{});
  one.send(packet::PingReq{});

  const auto first = broker.wait_for<packet::Connect>();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->connection, 0U);
  EXPECT_EQ(first->packet, connect);
  const auto second = broker.wait_for<packet::Connect>(first->index + 1);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->connection, 1U);
  EXPECT_EQ(second->packet.client_id, "two");
  const auto ping = broker.wait_for<packet::PingReq>();
  ASSERT_TRUE(ping);
  EXPECT_EQ(ping->connection, 0U);
  EXPECT_LE(first->at, ping->at);
  EXPECT_FALSE(broker.wait_for<packet::PingReq>(ping->index + 1, Millis(5)));
  EXPECT_EQ(broker.packets().size(), 3U);
  EXPECT_EQ(broker.wait_for_end(0, Millis(5)), std::nullopt);
  one.close();
  EXPECT_EQ(broker.wait_for_end(0), Ended::by_client);
  EXPECT_EQ(broker.connections()[1].ended, Ended::no);
}

TEST(ScriptedBroker, RecordsEveryByteWithItsTime) {
  ScriptedBroker broker;
  broker.on(packet::Type::connect, [](const Received&) {
    return Reply().send(packet::ConnAck{}).wait(Millis(20)).send("?");
  });
  RawClient client(broker);
  const std::string hello = encode(packet::Connect{"edge"});
  client.send(hello.substr(0, 3));
  client.send(hello.substr(3));
  EXPECT_EQ(client.read(5), encode(packet::ConnAck{}) + "?");
  const ConnectionRecord record = broker.connections().at(0);
  EXPECT_EQ(record.bytes(true), hello);
  EXPECT_EQ(record.bytes(false), encode(packet::ConnAck{}) + "?");
  EXPECT_LE(record.opened, record.chunks.front().at);
  const Monotonic connack = record.chunks[record.chunks.size() - 2].at;
  EXPECT_GE(record.chunks.back().at - connack, Millis(20));
}

TEST(ScriptedBroker, AnExpectationIsUsedOnceAndBeforeHandlers) {
  ScriptedBroker broker;
  broker.on(packet::Type::pingreq, [](const Received&) { return Reply().send("h"); });
  broker.expect(packet::Type::pingreq, Reply().send("e"));
  broker.expect(
      packet::Type::publish,
      [](const packet::Any& packet) { return std::get<packet::Publish>(packet).topic == "right"; },
      Reply().send("p"));
  RawClient client(broker);
  client.send(packet::PingReq{});
  client.send(packet::PingReq{});
  EXPECT_EQ(client.read(2), "eh");
  client.send(packet::Publish{"wrong", "", 0, false, false, 0});
  EXPECT_FALSE(broker.wait_until_met(Millis(5)));
  client.send(packet::Publish{"right", "", 0, false, false, 0});
  EXPECT_EQ(client.read(1), "p");
  EXPECT_TRUE(broker.wait_until_met());
}

TEST(ScriptedBroker, ExpectationsOfOneTypeAreUsedInOrder) {
  ScriptedBroker broker;
  for (const char* reply : {"1", "2", "3"}) {
    broker.expect(packet::Type::pingreq, Reply().send(reply));
  }
  RawClient client(broker);
  client.send(encode(packet::PingReq{}) + encode(packet::PingReq{}) + encode(packet::PingReq{}));
  EXPECT_EQ(client.read(3), "123");
}

TEST(ScriptedBroker, RefusesAsTold) {
  ScriptedBroker broker;
  broker.on(packet::Type::connect, connack(false, 5));
  RawClient client(broker);
  client.send(packet::Connect{"edge"});
  EXPECT_EQ(client.read(9), encode(packet::ConnAck{false, 5}));
  EXPECT_EQ(broker.wait_for_end(0), Ended::by_broker);

  broker.on(packet::Type::connect, connack(true));
  broker.on(packet::Type::subscribe, grant({1, 0x80}));
  RawClient other(broker);
  other.send(packet::Connect{"edge"});
  EXPECT_READS(other, (packet::ConnAck{true, 0}));
  other.send(packet::Subscribe{3, {{"a", 2}, {"b", 2}, {"c", 2}}});
  EXPECT_READS(other, (packet::SubAck{3, {1, 0x80, 0x80}}));
}

TEST(ScriptedBroker, ADelayedReplyHoldsUpNothingElse) {
  ScriptedBroker broker;
  broker.expect(packet::Type::publish, Reply().wait(Millis(50)).send(packet::PubAck{1}));
  RawClient client(broker);
  client.send(encode(packet::Publish{"t", "", 1, false, false, 1}) + encode(packet::PingReq{}));
  EXPECT_READS(client, packet::PingResp{});
  EXPECT_READS(client, packet::PubAck{1});
}

TEST(ScriptedBroker, SplitsAPacket) {
  ScriptedBroker broker;
  RawClient client(broker);
  client.send(packet::PingReq{});
  EXPECT_READS(client, packet::PingResp{});
  const std::string bytes = encode(packet::Publish{"topic", "payload", 0, false, false, 0});
  for (std::size_t at = 1; at < bytes.size(); ++at) {
    broker.send(0, Reply().send_split(bytes, at, Millis(10)));
    const std::string first = client.read(at);
    EXPECT_EQ(first + client.read(bytes.size() - at), bytes);
  }
  const ConnectionRecord record = broker.connections()[0];
  std::vector<ConnectionRecord::Chunk> pieces;  // two for each split
  std::copy_if(record.chunks.begin() + 2, record.chunks.end(), std::back_inserter(pieces),
               [](const auto& chunk) { return !chunk.from_client; });
  ASSERT_EQ(pieces.size(), 2 * (bytes.size() - 1));
  for (std::size_t at = 1; at < bytes.size(); ++at) {
    const auto& first = pieces[2 * (at - 1)];
    const auto& second = pieces[2 * (at - 1) + 1];
    EXPECT_EQ(first.bytes.size(), at);
    EXPECT_GE(second.at - first.at, Millis(10));
  }
}

TEST(ScriptedBroker, ClosesAfterWhatItSent) {
  ScriptedBroker broker;
  const std::string much(4 << 20, 'x');  // more than a socket's buffers take
  broker.expect(packet::Type::pingreq, Reply().send(much).close().send("never"));
  RawClient client(broker);
  client.send(packet::PingReq{});
  EXPECT_EQ(client.read(much.size() + 1).size(), much.size());
  EXPECT_EQ(client.error(), 0);

  broker.expect(packet::Type::pingreq, Reply().reset());
  RawClient other(broker);
  other.send(packet::PingReq{});
  EXPECT_EQ(other.read(1), "");
  EXPECT_EQ(other.error(), ECONNRESET);
}

TEST(ScriptedBroker, APacketThatIsNoneEndsTheConnectionWithItsFault) {
  ScriptedBroker broker;
  RawClient client(broker);
  client.send(encode(packet::PingReq{}) + std::string("\x36\x03\x00\x01t", 5));
  EXPECT_EQ(broker.wait_for_end(0), Ended::by_broker);
  EXPECT_EQ(broker.connections()[0].fault, "malformed PUBLISH: the QoS is 3");
  EXPECT_TRUE(broker.wait_for<packet::PingReq>());
}

TEST(ScriptedBroker, SendsToTheConnectionItIsTold) {
  ScriptedBroker broker;
  RawClient one(broker);
  one.send(packet::PingReq{});
  EXPECT_READS(one, packet::PingResp{});
  RawClient two(broker);
  two.send(packet::PingReq{});
  EXPECT_READS(two, packet::PingResp{});
  broker.send(1, Reply().send("two"));
  broker.send(0, Reply().send(packet::encode_header(packet::Type::publish, 2, 268'435'455)));
  broker.send(7, Reply().send("nobody"));
  EXPECT_EQ(two.read(3), "two");
  EXPECT_EQ(one.read(5), "\x32\xff\xff\xff\x7f");
}

TEST(ScriptedBroker, AHandlerMaySend) {
  ScriptedBroker broker;
  broker.on(packet::Type::pingreq, [&broker](const Received& received) {
    broker.send(received.connection, Reply().send("b"));
    return Reply().send("a");
  });
  RawClient client(broker);
  client.send(packet::PingReq{});
  EXPECT_EQ(client.read(2), "ab");
}

}  // namespace
}  // namespace triggerd::test
