#include "broker/connection.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

#include "common/mqtt.hpp"

namespace bench {
namespace {

using mqtt::Type;
using namespace std::string_literals;

std::string ack(Type type, std::uint16_t id) {
  std::string bytes;
  mqtt::append_ack(bytes, type, id);
  return bytes;
}

std::string subscribe(int qos, const std::vector<std::string>& filters) {
  std::string body = "\0\5"s;
  for (const std::string& filter : filters) {
    mqtt::append_number(body, filter.size());
    body += filter;
    body += static_cast<char>(qos);
  }
  std::string bytes;
  mqtt::append_head(bytes, Type::subscribe, 2, body.size());
  return bytes + body;
}

const std::string kConnect = "\x10\x0d\0\4MQTT\4\2\0\0\0\1c"s;

// A packet that the server sent.
struct Seen {
  Type type;
  std::uint16_t id = 0;
  std::string payload;  // of a PUBLISH; else all behind the header
};

class ConnectionTest : public testing::Test {
 protected:
  ~ConnectionTest() override { ::close(peer_); }

  Connection& start() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    peer_ = ends[1];
    publishes_ = std::make_unique<Publishes>(options_);
    connection_ = std::make_unique<Connection>(std::make_unique<Wire>(ends[0], nullptr), options_,
                                               *publishes_);
    return *connection_;
  }
  Connection& start_subscribed() {
    start();
    EXPECT_TRUE(say(kConnect + subscribe(options_.qos, {"bench/#"})));
    heard();
    EXPECT_TRUE(connection_->subscribed());
    return *connection_;
  }
  // Sends byte for byte: nothing may depend on how TCP cuts it.
  bool say(const std::string& bytes) {
    for (const char byte : bytes) {
      EXPECT_EQ(::send(peer_, &byte, 1, MSG_NOSIGNAL), 1);
      if (!connection_->on_readable()) return false;
    }
    return true;
  }
  // All that the server has written, and writes while there is room.
  std::string stream() {
    std::string all;
    char some[65536];
    for (;;) {
      const ssize_t got = ::recv(peer_, some, sizeof some, 0);
      if (got <= 0) return all;
      all.append(some, static_cast<std::size_t>(got));
    }
  }
  static std::vector<Seen> packets(std::string_view bytes) {
    std::vector<Seen> seen;
    mqtt::Head head;
    while (mqtt::read_head(bytes, head) == mqtt::Found::whole &&
           bytes.size() >= head.size + head.length) {
      std::string_view body = bytes.substr(head.size, head.length);
      Seen packet{.type = head.type(), .id = 0, .payload = std::string(body)};
      if (head.type() == Type::publish) {
        body.remove_prefix(2U + mqtt::number(body));
        if (head.qos() > 0) {
          packet.id = mqtt::number(body);
          body.remove_prefix(2);
        }
        packet.payload = body;
      } else if (body.size() == 2) {
        packet.id = mqtt::number(body);
      }
      seen.push_back(std::move(packet));
      bytes.remove_prefix(head.size + head.length);
    }
    EXPECT_TRUE(bytes.empty()) << "no whole packets";
    return seen;
  }
  std::vector<Seen> heard() { return packets(stream()); }
  std::vector<std::uint16_t> heard_ids(Type type) {
    std::vector<std::uint16_t> ids;
    for (const Seen& packet : heard()) {
      EXPECT_EQ(packet.type, type);
      ids.push_back(packet.id);
    }
    return ids;
  }

  using Ids = std::vector<std::uint16_t>;
  Options options_;
  int peer_ = -1;
  std::unique_ptr<Publishes> publishes_;
  std::unique_ptr<Connection> connection_;
};

TEST_F(ConnectionTest, AnswersWhatAClientAsks) {
  start();
  EXPECT_TRUE(say(kConnect));
  EXPECT_EQ(stream(), "\x20\2\0\0"s);
  EXPECT_FALSE(connection_->subscribed());
  EXPECT_TRUE(say(subscribe(0, {"a", "b/#", "c"})));
  EXPECT_EQ(stream(), "\x90\5\0\5\0\0\0"s);
  EXPECT_TRUE(connection_->subscribed());
  EXPECT_TRUE(say("\xc0\0"s));
  EXPECT_EQ(stream(), "\xd0\0"s);
  EXPECT_TRUE(say("\xa2\5\0\x09\0\1a"s));
  EXPECT_EQ(stream(), "\xb0\2\0\x09"s);
  EXPECT_TRUE(say("\x30\4\0\1am"s));
  EXPECT_EQ(stream(), "");
  EXPECT_TRUE(say("\x32\6\0\1a\0\7m"s));
  EXPECT_EQ(stream(), ack(Type::puback, 7));
  EXPECT_TRUE(say("\x34\6\0\1a\0\x08m"s + ack(Type::pubrel, 8)));
  EXPECT_EQ(stream(), ack(Type::pubrec, 8) + ack(Type::pubcomp, 8));
  EXPECT_FALSE(say("\xe0\0"s)) << "it said goodbye";
}

TEST_F(ConnectionTest, RefusesAProtocolThatItDoesNotSpeak) {
  start();
  std::string mqtt5 = kConnect;
  mqtt5[8] = 5;
  EXPECT_TRUE(say(mqtt5));
  EXPECT_EQ(stream(), "\x20\2\0\1"s);
}

TEST_F(ConnectionTest, ASubscriptionBelowTheRunsQosEndsTheRun) {
  options_.qos = 1;
  start();
  EXPECT_TRUE(say(kConnect));
  EXPECT_THROW(say(subscribe(0, {"bench/#"})), std::runtime_error);
}

TEST_F(ConnectionTest, SendsNothingBeforeItIsTold) {
  options_.qos = 1;
  Connection& connection = start_subscribed();
  EXPECT_TRUE(connection.write());
  EXPECT_EQ(stream(), "");
  connection.send_until(2);
  EXPECT_TRUE(connection.write());
  EXPECT_EQ(heard_ids(Type::publish), (Ids{1, 2}));
}

TEST_F(ConnectionTest, KeepsTheWindowWhateverTheOrderOfAcknowledgements) {
  options_.qos = 1;
  options_.window = 3;
  Connection& connection = start_subscribed();
  connection.send_until(Connection::kNoLimit);
  EXPECT_TRUE(connection.write());
  EXPECT_EQ(heard_ids(Type::publish), (Ids{1, 2, 3}));
  EXPECT_TRUE(say(ack(Type::puback, 2)));
  EXPECT_EQ(heard_ids(Type::publish), Ids{4});
  EXPECT_TRUE(say(ack(Type::puback, 1) + ack(Type::puback, 4)));
  EXPECT_EQ(heard_ids(Type::publish), (Ids{5, 6}));
  EXPECT_EQ(connection.completed(), 3U);
  EXPECT_EQ(connection.in_flight_max(), 3U);
}

TEST_F(ConnectionTest, AnIdIsNotUsedAgainBeforeItsMessageIsAcknowledged) {
  options_.qos = 1;
  options_.window = 8;
  options_.payload = 100'000;  // a short round
  Connection& connection = start_subscribed();
  ASSERT_EQ(publishes_->size(), 16U);
  connection.send_until(Connection::kNoLimit);
  const auto ids_sent = [&] {
    std::string bytes;
    do {
      EXPECT_TRUE(connection.write());
      bytes += stream();
    } while (connection.wants_to_write());
    Ids ids;
    for (const Seen& packet : packets(bytes)) ids.push_back(packet.id);
    return ids;
  };
  EXPECT_EQ(ids_sent().size(), 8U);
  Ids later;
  for (std::uint16_t id = 2; id <= 16; ++id) {  // never the first
    std::string part = ack(Type::puback, id);
    ASSERT_EQ(::send(peer_, part.data(), part.size(), MSG_NOSIGNAL), 4);
    EXPECT_TRUE(connection.on_readable());
    for (const std::uint16_t sent : ids_sent()) later.push_back(sent);
  }
  EXPECT_EQ(later, (Ids{9, 10, 11, 12, 13, 14, 15, 16})) << "id 1 is still out";
}

TEST_F(ConnectionTest, Qos2IsCompleteWithPubcomp) {
  options_.qos = 2;
  options_.window = 2;
  Connection& connection = start_subscribed();
  connection.send_until(Connection::kNoLimit);
  EXPECT_TRUE(connection.write());
  EXPECT_EQ(heard_ids(Type::publish), (Ids{1, 2}));
  EXPECT_TRUE(say(ack(Type::pubrec, 1)));
  EXPECT_EQ(stream(), ack(Type::pubrel, 1));
  EXPECT_TRUE(say(ack(Type::pubrec, 1)));
  EXPECT_EQ(stream(), ack(Type::pubrel, 1)) << "it did not get the first";
  EXPECT_EQ(connection.completed(), 0U);
  EXPECT_TRUE(say(ack(Type::pubcomp, 1)));
  EXPECT_EQ(heard_ids(Type::publish), Ids{3});
  EXPECT_EQ(connection.completed(), 1U);
}

TEST_F(ConnectionTest, AnAcknowledgementThatFitsNothingEndsTheRun) {
  const auto refuses = [this](int qos, const std::string& bytes) {
    options_.qos = qos;
    options_.window = 2;
    Connection& connection = start_subscribed();
    connection.send_until(Connection::kNoLimit);
    connection.write();
    EXPECT_THROW(say(bytes), std::runtime_error) << qos;
    ::close(peer_);
  };
  refuses(0, ack(Type::puback, 1));
  refuses(1, ack(Type::puback, 3));
  refuses(1, ack(Type::puback, 0));
  refuses(1, ack(Type::puback, 1) + ack(Type::puback, 1));
  refuses(1, ack(Type::pubrec, 1));
  refuses(2, ack(Type::puback, 1));
  refuses(2, ack(Type::pubcomp, 1));
  refuses(2, ack(Type::pubrec, 9));
  refuses(1, "\x40\3\0\1\0"s);
  refuses(1, "\x40\xff\xff\xff\xff\x01"s);
  refuses(1, "\x20\2\0\0"s);
  peer_ = -1;
}

TEST_F(ConnectionTest, NoPacketIsSplitByAnotherWhereTheSocketIsFull) {
  options_.payload = 1000;
  Connection& connection = start_subscribed();
  connection.send_until(Connection::kNoLimit);
  while (!connection.wants_to_write()) EXPECT_TRUE(connection.write());
  EXPECT_TRUE(say("\xc0\0\xc0\0"s));
  std::string bytes;
  for (int i = 0; i < 3; ++i) {
    bytes += stream();
    if (i == 0) connection.send_until(0);  // a message that is begun is sent to its end
    EXPECT_TRUE(connection.write());
  }
  bytes += stream();
  std::size_t answers = 0;
  std::uint64_t messages = 0;
  for (const Seen& packet : packets(bytes)) {
    if (packet.type == Type::pingresp) {
      ++answers;
    } else {
      ASSERT_EQ(packet.type, Type::publish);
      ASSERT_EQ(packet.payload, std::string(1000, 'x'));
      ++messages;
    }
  }
  EXPECT_EQ(answers, 2U);
  EXPECT_EQ(messages, connection.completed());
}

TEST_F(ConnectionTest, PacedMessagesCarryTheTimeAtWhichTheyWereDue) {
  options_.qos = 1;
  options_.window = 2;
  options_.filters = 2;
  options_.payload = 50;
  Connection& connection = start_subscribed();
  for (std::uint64_t at = 11; at <= 14; ++at) connection.send({.monotonic = at, .wall = 9});
  EXPECT_TRUE(connection.write());
  const auto first = heard();
  ASSERT_EQ(first.size(), 2U) << "the window";
  EXPECT_EQ(first[0].payload, "00000000000000000011 00000000000000000009.........");
  EXPECT_TRUE(say(ack(Type::puback, first[0].id)));
  const auto next = heard();
  ASSERT_EQ(next.size(), 1U);
  EXPECT_EQ(stamp_of(next[0].payload), 13U);
  EXPECT_NE(next[0].id, first[1].id);
}

}  // namespace
}  // namespace bench
