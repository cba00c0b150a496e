// MQTT over WebSockets and a real runtime, whatever frames a server makes of it and however it
// answers to the upgrade. The tables of frames and answers are unit/mqtt/wire/websocket_test.cpp.
#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <string>
#include <vector>

#include "integration/tls_fixture.hpp"
#include "support/scripted_broker.hpp"
#include "support/websocket_front.hpp"

namespace triggerd::test {
namespace {

using namespace std::string_literals;

constexpr std::size_t kMessages = 20;

// The n-th of those that a server sends: shorter and longer than what frames are made of.
packet::Publish message(std::size_t n) {
  packet::Publish publish;
  publish.topic = "x/" + std::to_string(n);
  publish.payload = std::string(n * 97 % 400 + (n == 7 ? 70'000 : 0), static_cast<char>('a' + n));
  publish.qos = static_cast<std::uint8_t>(n % 2);
  publish.packet_id = static_cast<std::uint16_t>(n % 2 == 0 ? 0 : n);
  return publish;
}

class WebSocketFixture : public TlsFixture {
 protected:
  void TearDown() override {
    EXPECT_EQ(front_ ? front_->fault() : "", "");
    if (HasFailure() && started_) ADD_FAILURE() << triggerd_.output();
  }

  // Of a front with these options: without `mqtt_port`, in front of the broker.
  void make_front(WebSocketFrontOptions options, bool tls) {
    tls_ = tls;
    if (tls) options.identity = authority_.issue();
    if (options.mqtt_port == 0) options.mqtt_port = broker_.port();
    front_.emplace(std::move(options));
  }
  std::string alias(const std::string& more = {}) const {
    return (tls_ ? truststore(authority_.pem()) : "") +
           fmt::format(
               "[aliases.a]\nhost = \"{}://127.0.0.1:{}/mqtt\"\nclient_id = \"c\"\n"
               "reconnect = {{ min = \"50ms\", max = \"100ms\" }}\n{}{}\n",
               tls_ ? "wss" : "ws", front_->port(), tls_ ? "truststore = \"ca\"\n" : "", more);
  }
  void start(const std::string& more = {}) {
    start_with(alias(more) + trigger_table("t", "a", "{ filter = \"x/#\", qos = 1 }", file(),
                                           "order = \"none\"\n"));
  }
  void start_with(const std::string& tables) {
    triggerd_.write_config(runtime_table() + tables);
    triggerd_.start();
    started_ = true;
  }
  // Whoever subscribes gets all messages, in one write behind the answer.
  void answer_with_messages() {
    broker_.on(packet::Type::subscribe, [this](const Received& got) {
      ++subscribed_;
      const bool v5 = v5_;
      const std::uint8_t level = v5 ? packet::k5 : packet::k311;
      packet::SubAck suback{std::get<packet::Subscribe>(got.packet).packet_id, {1}};
      std::string bytes = packet::encode(suback, level);
      for (std::size_t n = 0; n < kMessages; ++n) bytes += packet::encode(message(n), level);
      return Reply().send(bytes);
    });
  }
  void expect_all_messages() {
    ASSERT_TRUE(wait_for_records(file(), kMessages));
    std::set<std::string> found;
    for (const Record& record : records(file(), "end")) found.insert(record.topic + record.hash);
    std::set<std::string> sent;
    for (std::size_t n = 0; n < kMessages; ++n) {
      sent.insert(message(n).topic + fnv1a(message(n).payload));
    }
    EXPECT_EQ(found, sent);
    for (std::uint16_t id = 1; id < kMessages; id += 2) {
      EXPECT_TRUE(broker_.wait_for<packet::PubAck>([id](const packet::PubAck& ack) {
        return ack.packet_id == id;
      })) << id;
    }
    EXPECT_EQ(subscribed_, 1) << "nobody had to connect again";
  }

  ScriptedBroker broker_;
  std::optional<WebSocketFront> front_;
  std::atomic<int> subscribed_{0};
  bool tls_ = false;
  bool v5_ = false;
  bool started_ = false;
  TriggerdProcess triggerd_{""};
};

// ---- Frames ----

struct Frames {
  const char* name;
  FramerOf framer;
  bool tls = false;
  bool v5 = false;
  friend void PrintTo(const Frames& frames, std::ostream* out) { *out << frames.name; }
};

class WebSocketFrames : public WebSocketFixture, public testing::WithParamInterface<Frames> {};

TEST_P(WebSocketFrames, CarryEveryPacket) {
  v5_ = GetParam().v5;
  make_front({.framer = GetParam().framer}, GetParam().tls);
  answer_with_messages();
  start(v5_ ? "protocol = \"5\"\n" : "");
  ASSERT_TRUE(triggerd_.wait_until_running());
  expect_all_messages();
  EXPECT_EQ(triggerd_.stop(), Exit{});
}

const std::string kBetween = server_frame(websocket::kPing, "between") +
                             server_frame(websocket::kPong, "") +
                             server_frame(websocket::kGoesOn, "");

INSTANTIATE_TEST_SUITE_P(
    , WebSocketFrames,
    testing::Values(
        Frames{"SeveralPacketsInOne", in_frames_of(SIZE_MAX)},
        Frames{"SeveralPacketsInOneOfMqtt5", in_frames_of(SIZE_MAX), false, true},
        Frames{"SeveralPacketsInOneOverTls", in_frames_of(SIZE_MAX), true},
        Frames{"OneByteInEach", in_frames_of(1)},
        Frames{"OneByteInEachOverTls", in_frames_of(1), true},
        Frames{"ThreeBytesInEach", in_frames_of(3)},
        Frames{"OfMqtt5", in_frames_of(3), false, true},
        Frames{"WithALongerLength", in_frames_of(126)}, Frames{"Fragments", in_fragments_of(5)},
        Frames{"FragmentsWithPingsBetween", in_fragments_of(11, kBetween)},
        Frames{"FragmentsWithPingsBetweenOverTls", in_fragments_of(11, kBetween), true, true},
        Frames{"Any", in_any_frames()}, Frames{"AnyOverTls", in_any_frames(), true, true}),
    [](const auto& info) { return std::string(info.param.name); });

struct Several {
  const char* name;
  bool tls;
  std::size_t size;
  int count;  // for each trigger
  friend void PrintTo(const Several& several, std::ostream* out) { *out << several.name; }
};

class SeveralWebSockets : public WebSocketFixture, public testing::WithParamInterface<Several> {};

// Each message goes to one trigger, and is made of that one's letter.
TEST_P(SeveralWebSockets, KeepTheirBytesApart) {
  const auto& [name, tls, size, count] = GetParam();
  MosquittoServer server;
  make_front({.mqtt_port = server.port(), .framer = in_any_frames()}, tls);
  std::string triggers;
  for (const char* const one : {"a", "b", "c"}) {
    triggers += trigger_table(one, "a", fmt::format("{{ filter = \"{}/#\", qos = 1 }}", one),
                              file(one), "order = \"none\"\n");
  }
  start_with(alias("max_packet_size = \"2MiB\"\n") + triggers);
  ASSERT_TRUE(triggerd_.wait_until_running());
  TestClient client(server.port());
  for (int i = 0; i < count; ++i) {
    for (const char one : {'a', 'b', 'c'}) {
      client.publish_later(fmt::format("{}/{}", one, i), std::string(size, one));
    }
  }
  ASSERT_TRUE(client.wait_published());
  for (const char one : {'a', 'b', 'c'}) {
    const auto its = file(std::string(1, one));
    EXPECT_TRUE(wait_for_records(its, static_cast<std::size_t>(count))) << one;
    std::set<std::string> topics;
    for (const Record& record : records(its, "end")) {
      EXPECT_EQ(record.topic[0], one);
      EXPECT_EQ(record.size, size);
      EXPECT_EQ(record.hash, fnv1a(std::string(size, one)));
      topics.insert(record.topic);
    }
    EXPECT_EQ(topics.size(), static_cast<std::size_t>(count)) << one;
  }
  EXPECT_EQ(front_->upgraded(), 4U) << "the alias's and one for each trigger, and none again";
}

INSTANTIATE_TEST_SUITE_P(, SeveralWebSockets,
                         testing::Values(Several{"With60Bytes", false, 60, 300},
                                         Several{"With8KB", false, 8'000, 100},
                                         Several{"With8KBOverTls", true, 8'000, 100},
                                         Several{"With1MiB", false, 1 << 20, 10},
                                         Several{"With1MiBOverTls", true, 1 << 20, 10}),
                         [](const auto& info) { return std::string(info.param.name); });

// ---- The answer to the upgrade ----

struct Accepting {
  const char* name;
  std::function<std::vector<std::string>(const std::string& accept)> answer;
  bool tls = false;
  friend void PrintTo(const Accepting& accepting, std::ostream* out) { *out << accepting.name; }
};

std::vector<std::string> in_pieces(const std::string& bytes, std::size_t size) {
  std::vector<std::string> pieces;
  for (std::size_t at = 0; at < bytes.size(); at += size) pieces.push_back(bytes.substr(at, size));
  return pieces;
}

class AcceptedWebSocket : public WebSocketFixture, public testing::WithParamInterface<Accepting> {};

TEST_P(AcceptedWebSocket, CarriesMessages) {
  make_front({.answer = GetParam().answer, .framer = in_frames_of(3)}, GetParam().tls);
  answer_with_messages();
  start();
  ASSERT_TRUE(triggerd_.wait_until_running());
  expect_all_messages();
}

INSTANTIATE_TEST_SUITE_P(
    , AcceptedWebSocket,
    testing::Values(
        Accepting{"InTwoPieces",
                  [](const auto& accept) { return in_pieces(upgrade_answer(accept), 90); }},
        Accepting{"InTwoPiecesOverTls",
                  [](const auto& accept) { return in_pieces(upgrade_answer(accept), 90); }, true},
        Accepting{"ByteByByte",
                  [](const auto& accept) { return in_pieces(upgrade_answer(accept), 1); }},
        Accepting{"Of60KiB",
                  [](const auto& accept) {
                    return std::vector{upgrade_answer(
                        accept, "Set-Cookie: a=" + std::string(60U * 1024U, 'x') + "\r\n")};
                  }},
        Accepting{"Of60KiBOverTls",
                  [](const auto& accept) {
                    return in_pieces(
                        upgrade_answer(accept,
                                       "Set-Cookie: a=" + std::string(60U * 1024U, 'x') + "\r\n"),
                        5000);
                  },
                  true},
        Accepting{"InLowerCase",
                  [](const auto& accept) {
                    return std::vector{
                        "HTTP/1.1 101 ok\r\nupgrade:WebSocket\r\n"
                        "connection:keep-alive, upgrade\r\nsec-websocket-accept:"s +
                        accept + "\r\n\r\n"};
                  }},
        Accepting{"BehindAnInterimOne",
                  [](const auto& accept) {
                    return std::vector{"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"s,
                                       upgrade_answer(accept)};
                  }}),
    [](const auto& info) { return std::string(info.param.name); });

struct Refusing {
  const char* name;
  std::string answer;  // "ACCEPT" in it becomes what is right
  const char* said;
  bool tls = false;
  friend void PrintTo(const Refusing& refusing, std::ostream* out) { *out << refusing.name; }
};

class RefusedWebSocket : public WebSocketFixture, public testing::WithParamInterface<Refusing> {};

TEST_P(RefusedWebSocket, IsToldOfAndTriedAgain) {
  std::atomic<int> asked{0};
  const auto answer = [&](const std::string& accept) {
    ++asked;
    std::string bytes = GetParam().answer;
    const std::size_t at = bytes.find("ACCEPT");
    if (at != std::string::npos) bytes.replace(at, 6, accept);
    return std::vector{bytes};
  };
  make_front({.answer = answer}, GetParam().tls);
  start();
  EXPECT_TRUE(triggerd_.wait_for_event("connection.failed", {GetParam().said, "alias=a"}));
  EXPECT_TRUE(eventually([&] { return asked >= 6; }));
  EXPECT_TRUE(broker_.packets().empty()) << "nothing of MQTT is sent";
  EXPECT_EQ(triggerd_.stop(), Exit{});
  front_.reset();  // which calls `answer`
}

INSTANTIATE_TEST_SUITE_P(
    , RefusedWebSocket,
    testing::Values(
        Refusing{"WithAWrongAccept", upgrade_answer("AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
                 "wrong Sec-WebSocket-Accept"},
        Refusing{"WithAWrongAcceptOverTls", upgrade_answer("AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
                 "wrong Sec-WebSocket-Accept", true},
        Refusing{"WithoutAccept", upgrade_answer(""), "no Sec-WebSocket-Accept"},
        Refusing{"WithAnExtension",
                 upgrade_answer("ACCEPT", "Sec-WebSocket-Extensions: permessage-deflate\r\n"),
                 "an extension that was not asked for"},
        Refusing{"WithARedirect",
                 "HTTP/1.1 302 Found\r\nLocation: https://login.example/\r\n"
                 "Content-Length: 0\r\n\r\n",
                 "HTTP 302 Found, to \"https://login.example/\""},
        Refusing{"WithUnauthorized",
                 "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\n"
                 "Content-Length: 5\r\n\r\nhello",
                 "HTTP 401 Unauthorized"},
        Refusing{"WithForbiddenOverTls", "HTTP/1.1 403 Forbidden\r\n\r\n", "HTTP 403 Forbidden",
                 true},
        Refusing{"WithUnavailable", "HTTP/1.0 503 Service Unavailable\r\n\r\n",
                 "HTTP 503 Service Unavailable"},
        Refusing{"WithOk", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP 200 OK"},
        Refusing{"WithSsh", "SSH-2.0-OpenSSH_9.2\r\n", "it speaks SSH, not WebSocket"}),
    [](const auto& info) { return std::string(info.param.name); });

// ---- Control frames, and frames that may not be ----

class WebSocketControl : public WebSocketFixture, public testing::WithParamInterface<bool> {
 protected:
  // The number of the trigger's connection at the front, once it has subscribed.
  std::size_t subscribed_connection() {
    const auto subscribe = broker_.wait_for<packet::Subscribe>();
    return subscribe ? subscribe->connection : 0;
  }
};

INSTANTIATE_TEST_SUITE_P(, WebSocketControl, testing::Bool(),
                         [](const auto& info) { return info.param ? "OverTls" : "Plain"; });

TEST_P(WebSocketControl, APingIsAnsweredWithItsPayload) {
  make_front({}, GetParam());
  start();
  ASSERT_TRUE(triggerd_.wait_until_running());
  const std::size_t trigger = subscribed_connection();
  for (const std::string& payload : {"1"s, ""s, std::string(125, 'p')}) {
    front_->send(trigger, server_frame(websocket::kPing, payload));
    EXPECT_TRUE(front_->wait_for([&](const ControlFrame& one) {
      return one.connection == trigger && one.first == websocket::kPong && one.payload == payload;
    }));
  }
  std::string flood;
  for (int i = 0; i < 100'000; ++i) flood += server_frame(websocket::kPing, std::to_string(i));
  front_->send(trigger, flood);
  EXPECT_TRUE(front_->wait_for([&](const ControlFrame& one) { return one.payload == "99999"; }));
  EXPECT_EQ(front_->upgraded(), 2U);
}

TEST_P(WebSocketControl, TheServersCloseIsAnsweredAndToldOf) {
  make_front({}, GetParam());
  start();
  ASSERT_TRUE(triggerd_.wait_until_running());
  const std::size_t trigger = subscribed_connection();
  front_->send(trigger, server_close(1011, "out of memory"));
  EXPECT_TRUE(front_->wait_for([&](const ControlFrame& one) {
    return one.connection == trigger && one.first == websocket::kClose &&
           one.payload == "\x03\xf3"s;
  }));
  EXPECT_TRUE(triggerd_.wait_for_event(
      "connection.failed",
      {"closed the WebSocket: 1011 internal error (\"out of memory\")", "trigger=t"}));
  EXPECT_TRUE(eventually([&] { return front_->upgraded() >= 3; })) << "it comes again";
}

struct Wrong {
  const char* name;
  std::string frame;
  const char* said;
  std::uint16_t code = 1002;
  friend void PrintTo(const Wrong& wrong, std::ostream* out) { *out << wrong.name; }
};

class WrongWebSocketFrame : public WebSocketFixture, public testing::WithParamInterface<Wrong> {};

TEST_P(WrongWebSocketFrame, EndsItsConnectionAndNoOther) {
  make_front({}, false);
  start();
  ASSERT_TRUE(triggerd_.wait_until_running());
  const auto subscribe = broker_.wait_for<packet::Subscribe>();
  ASSERT_TRUE(subscribe);
  front_->send(subscribe->connection, GetParam().frame);
  EXPECT_TRUE(triggerd_.wait_for_event("connection.failed", {GetParam().said, "trigger=t"}));
  const auto close =
      front_->wait_for([](const ControlFrame& one) { return one.first == websocket::kClose; });
  ASSERT_TRUE(close);
  EXPECT_EQ(close->connection, subscribe->connection);
  EXPECT_EQ("\x88\x02"s + close->payload, server_close(GetParam().code));
  EXPECT_TRUE(eventually([&] { return front_->upgraded() == 3; })) << "it comes again";
  answer_with_messages();
  const auto again = broker_.wait_for<packet::Subscribe>(subscribe->index + 1);
  ASSERT_TRUE(again);
  broker_.send(again->connection, Reply().send(message(1)));
  EXPECT_TRUE(wait_for_records(file(), 1));
}

INSTANTIATE_TEST_SUITE_P(
    , WrongWebSocketFrame,
    testing::Values(
        Wrong{"Text", server_frame(websocket::kText, "\x30\x03\x00\x01x"s),
              "a WebSocket text frame", 1003},
        Wrong{"Masked", "\x82\x85"s + "\x00\x00\x00\x00\x30\x03\x00\x01x"s, "masked"},
        Wrong{"Compressed", server_frame(0xc2, "\x30\x03\x00\x01x"s), "reserved bits"},
        Wrong{"Continuation", server_frame(websocket::kGoesOnEnd, "\x30"s), "continues a message"},
        Wrong{"LongPing", server_frame(websocket::kPing, std::string(126, 'p')),
              "ping of more than 125 bytes"},
        Wrong{"HighBit", "\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff"s, "more than 2^63 bytes"}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace triggerd::test
