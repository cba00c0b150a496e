// What a link does before MQTT: the way through a proxy, and the upgrade to a WebSocket; and MQTT
// in frames.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "mqtt/wire/link.hpp"
#include "unit/mqtt/wire/any_websocket.hpp"
#include "unit/mqtt/wire/dialled.hpp"
#include "unit/mqtt/wire/websocket_server.hpp"

namespace triggerd::mqtt::wire::test {
namespace {

Dial websocket_dial() {
  return {.websocket = WebSocket::Target{.host = "broker:8080", .path = "/mqtt"}, .hold = true};
}
Dial proxy_dial(config::Proxy::Scheme scheme = config::Proxy::Scheme::http) {
  return {.proxy = config::Proxy{.scheme = scheme, .host = "gate"},
          .target = {.host = "broker", .port = 1883},
          .hold = true};
}
constexpr std::string_view kProxied = "HTTP/1.1 200 Connection established\r\n\r\n";

// What was sent to the server, each frame's payload.
std::vector<std::string> payloads(const Pair& pair) {
  const auto frames = client_frames(pair.peer_has());
  EXPECT_TRUE(frames) << "no whole frames";
  std::vector<std::string> all;
  for (const ClientFrame& frame : frames.value_or(std::vector<ClientFrame>{})) {
    all.push_back(frame.first == 0x82 ? frame.payload : "control " + frame.payload);
  }
  return all;
}

class WebSocketDialled : public Dialled {
 public:
  explicit WebSocketDialled(Dial dial = websocket_dial()) : Dialled(std::move(dial)) {}
  void open() {
    const std::string connect = connect_packet();
    EXPECT_EQ(writes(connect), static_cast<ssize_t>(connect.size()));
    const std::string request = pair.peer_has();
    EXPECT_TRUE(request.starts_with("GET /mqtt HTTP/1.1\r\nHost: broker:8080\r\n")) << request;
    EXPECT_TRUE(request.ends_with("\r\n\r\n")) << "and nothing behind it";
    server_sends(accepts(request));
    EXPECT_EQ(payloads(pair), std::vector<std::string>{connect});
    const std::string connack = encode(packet::ConnAck{});
    server_sends(server_frame(connack));
    EXPECT_EQ(library_takes(), connack);
  }
};

// ---- WebSocket ----

TEST(WireOpening, AWebSocketIsOpenedBeforeConnectLeaves) {
  on_own_thread([] {
    WebSocketDialled dialled;
    dialled.open();
    EXPECT_EQ(dialled.writes(kPingRequest), 2);
    EXPECT_EQ(payloads(dialled.pair), std::vector<std::string>{kPingRequest});
    EXPECT_EQ(dialled.link->fault(), "");
  });
}

TEST(WireOpening, PacketsMayComeInTheSameReadAsTheAnswerAndInAnyFrames) {
  on_own_thread([] {
    Dialled dialled(websocket_dial());
    dialled.writes(dialled.connect_packet());
    const std::string connack = dialled.encode(packet::ConnAck{});
    const std::string message = dialled.encode(packet::Publish{.topic = "a", .payload = "p"});
    dialled.pair.peer_sends(accepts(dialled.pair.peer_has()) + server_frame(connack.substr(0, 1)) +
                            server_frame(connack.substr(1) + message.substr(0, 2), 0x02) +
                            server_frame("are you there", 0x89) +
                            server_frame(message.substr(2), 0x80));
    EXPECT_EQ(dialled.library_takes(), connack);
    dialled.turn();
    EXPECT_EQ(dialled.sink->topics(), std::vector<std::string>{"a"});
    // CONNECT waited for the upgrade; the answer to the ping does not wait.
    const auto sent = payloads(dialled.pair);
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_EQ(std::count(sent.begin(), sent.end(), "control are you there"), 1);
    EXPECT_EQ(std::count(sent.begin(), sent.end(), dialled.connect_packet()), 1);
  });
}

TEST(WireOpening, ItMayComeByteByByte) {
  on_own_thread([] {
    Dialled dialled(websocket_dial());
    dialled.writes(dialled.connect_packet());
    dialled.server_sends(accepts(dialled.pair.peer_has()), 1);
    const std::string connack = dialled.encode(packet::ConnAck{});
    dialled.server_sends(server_frame(connack), 1);
    EXPECT_EQ(dialled.library_takes(), connack);
    dialled.server_sends(server_frame(dialled.encode(packet::Publish{.topic = "a"})), 1);
    EXPECT_EQ(dialled.sink->topics(), std::vector<std::string>{"a"});
  });
}

TEST(WireOpening, AcknowledgementsLeaveInOneFrame) {
  on_own_thread([] {
    WebSocketDialled dialled;
    dialled.open();
    const std::string two =
        dialled.encode(packet::Publish{.topic = "a", .qos = 1, .packet_id = 1}) +
        dialled.encode(packet::Publish{.topic = "b", .qos = 1, .packet_id = 2});
    dialled.server_sends(server_frame(two));
    ASSERT_EQ(dialled.sink->got.size(), 2U);
    dialled.release(dialled.sink->got[1]);
    dialled.link->flush();
    EXPECT_TRUE(payloads(dialled.pair).empty());
    dialled.release(dialled.sink->got[0]);
    dialled.link->flush();
    EXPECT_EQ(payloads(dialled.pair), std::vector<std::string>{puback(1) + puback(2)});
  });
}

TEST(WireOpening, ALargeMessageInManyFramesIsOne) {
  on_own_thread([] {
    WebSocketDialled dialled;
    dialled.open();
    const std::string payload(100'000, 'l');
    const std::string message = dialled.encode(packet::Publish{.topic = "a", .payload = payload});
    std::string frames;
    for (std::size_t at = 0; at < message.size(); at += 7'000) {
      const bool last = at + 7'000 >= message.size();
      frames += server_frame(message.substr(at, 7'000),
                             static_cast<std::uint8_t>((at == 0 ? 0x02 : 0) | (last ? 0x80 : 0)));
    }
    dialled.server_sends(frames, 10'000);
    ASSERT_EQ(dialled.sink->got.size(), 1U) << dialled.link->fault();
    EXPECT_TRUE(dialled.sink->got[0].payload == payload);
    EXPECT_TRUE(dialled.sink->got[0].nul_behind_topic);
  });
}

TEST(WireOpening, AServerThatClosesTheWebSocketIsAnsweredAndNamed) {
  on_own_thread([] {
    WebSocketDialled dialled;
    dialled.open();
    dialled.server_sends(server_frame(dialled.encode(packet::Publish{.topic = "a"})) +
                         server_frame("\x03\xe9"
                                      "off to bed",
                                      0x88));
    EXPECT_EQ(dialled.library_finds(), EPROTO);
    EXPECT_EQ(dialled.sink->happened, (std::vector<std::string>{"message a", "end"}))
        << "what came before it in the same read is not lost";
    EXPECT_EQ(dialled.link->fault(),
              "the server closed the WebSocket: 1001 going away (\"off to bed\")");
    EXPECT_EQ(payloads(dialled.pair), std::vector<std::string>{"control \x03\xe9"});
  });
}

// Else nobody would hear why.
TEST(WireOpening, TheLibraryReadsWhatCameBeforeTheClose) {
  on_own_thread([] {
    Dialled dialled(websocket_dial());
    dialled.writes(dialled.connect_packet());
    dialled.pair.peer_sends(accepts(dialled.pair.peer_has()));
    dialled.turn();
    const std::string refusal = dialled.encode(packet::ConnAck{.return_code = 5});
    dialled.pair.peer_sends(server_frame(refusal) + server_frame("\x03\xe8", 0x88));
    EXPECT_EQ(dialled.library_takes(), refusal);
    EXPECT_EQ(dialled.library_finds(), EPROTO);
    EXPECT_EQ(dialled.link->fault(), "the server closed the WebSocket: 1000 normal closure");
  });
}

TEST(WireOpening, AFaultInItsFramesEndsTheConnection) {
  on_own_thread([] {
    WebSocketDialled dialled;
    dialled.open();
    dialled.server_sends(server_frame("text", 0x81));
    EXPECT_EQ(dialled.library_finds(), EPROTO);
    EXPECT_NE(dialled.link->fault().find("a WebSocket text frame"), std::string::npos);
    EXPECT_EQ(payloads(dialled.pair), std::vector<std::string>{"control \x03\xeb"});
  });
}

TEST(WireOpening, WeCloseItWithAFrame) {
  on_own_thread([] {
    WebSocketDialled dialled;
    dialled.open();
    dialled.link->shut_down();
    EXPECT_EQ(payloads(dialled.pair), std::vector<std::string>{"control \x03\xe8"});
  });
}

TEST(WireOpening, ARefusedUpgradeIsNamed) {
  on_own_thread([] {
    Dialled dialled(websocket_dial());
    dialled.writes(dialled.connect_packet());
    dialled.pair.peer_has();
    dialled.server_sends("HTTP/1.1 403 Forbidden\r\n\r\n");
    EXPECT_EQ(dialled.library_finds(), EPROTO);
    EXPECT_EQ(dialled.link->fault(), "the server refused the WebSocket: HTTP 403 Forbidden");
    EXPECT_EQ(dialled.pair.peer_has(), "") << "CONNECT never left";
  });
}

TEST(WireOpening, AnEndInTheMidstOfTheUpgradeIsNamed) {
  on_own_thread([] {
    Dialled dialled(websocket_dial());
    dialled.writes(dialled.connect_packet());
    dialled.pair.peer_sends("HTTP/1.1 101 Swi");
    dialled.pair.close_peer();
    for (int i = 0; i < 2; ++i) dialled.turn();
    EXPECT_EQ(dialled.library_finds(), EPROTO);
    EXPECT_NE(dialled.link->fault().find("before it had answered the WebSocket upgrade"),
              std::string::npos)
        << dialled.link->fault();
  });
}

// A server that wants nothing but answers.
TEST(WireOpening, PingsOfAServerThatDoesNotReadTakeNoMemory) {
  on_own_thread([] {
    WebSocketDialled dialled;
    dialled.open();
    const std::size_t filler = dialled.pair.fill();
    const std::string ping = server_frame(std::string(125, 'p'), 0x89);
    for (int i = 0; i < 2'000; ++i) dialled.server_sends(ping);
    std::size_t sent = 0;
    for (int i = 0; i < 200; ++i) {
      sent += dialled.pair.peer_has().size();
      dialled.turn();
    }
    EXPECT_LT(sent, filler + 1'000 * ping.size()) << "not every one of them is answered";
    dialled.server_sends(ping);
    EXPECT_GT(dialled.pair.peer_has().size(), 125U) << "one that comes once it reads again is";
  });
}

// ---- Proxies ----

TEST(WireOpening, AProxyIsAskedBeforeConnectLeaves) {
  for (const bool byte_by_byte : {false, true}) {
    on_own_thread([byte_by_byte] {
      Dialled dialled(proxy_dial());
      const std::string connect = dialled.connect_packet();
      EXPECT_EQ(dialled.writes(connect), static_cast<ssize_t>(connect.size()));
      EXPECT_EQ(dialled.pair.peer_has(),
                "CONNECT broker:1883 HTTP/1.1\r\nHost: broker:1883\r\n\r\n");
      const std::string connack = dialled.encode(packet::ConnAck{});
      // Whatever is behind its answer is the server's.
      dialled.server_sends(std::string(kProxied) + connack, byte_by_byte ? 1 : 0);
      EXPECT_EQ(dialled.pair.peer_has(), connect);
      EXPECT_EQ(dialled.library_takes(), connack);
      EXPECT_EQ(dialled.link->fault(), "");
    });
  }
}

TEST(WireOpening, SocksIsSpokenStepByStep) {
  on_own_thread([] {
    Dialled dialled(proxy_dial(config::Proxy::Scheme::socks5));
    const std::string connect = dialled.connect_packet();
    dialled.writes(connect);
    EXPECT_EQ(dialled.pair.peer_has(), std::string("\5\1\0", 3));
    dialled.server_sends(std::string_view("\5\0", 2));
    EXPECT_EQ(dialled.pair.peer_has(), std::string("\5\1\0\3\6broker\x07\x5b", 13));
    dialled.server_sends(std::string_view("\5\0\0\1\0\0\0\0\0\0", 10));
    EXPECT_EQ(dialled.pair.peer_has(), connect);
  });
}

TEST(WireOpening, AWebSocketBehindAProxyIsOpenedAfterIt) {
  on_own_thread([] {
    Dial dial = proxy_dial();
    dial.websocket = WebSocket::Target{.host = "broker:8080", .path = "/mqtt"};
    Dialled dialled(std::move(dial));
    dialled.writes(dialled.connect_packet());
    EXPECT_TRUE(dialled.pair.peer_has().starts_with("CONNECT "));
    dialled.server_sends(kProxied);
    const std::string request = dialled.pair.peer_has();
    EXPECT_TRUE(request.starts_with("GET /mqtt "));
    dialled.server_sends(accepts(request));
    EXPECT_EQ(payloads(dialled.pair), std::vector<std::string>{dialled.connect_packet()});
  });
}

TEST(WireOpening, AProxyThatRefusesIsNamed) {
  on_own_thread([] {
    Dialled dialled(proxy_dial());
    dialled.writes(dialled.connect_packet());
    dialled.pair.peer_has();
    dialled.server_sends("HTTP/1.1 502 Bad Gateway\r\n\r\n");
    EXPECT_EQ(dialled.library_finds(), EPROTO);
    EXPECT_EQ(dialled.link->fault(), "the proxy cannot connect to the server (status 502)");
    EXPECT_EQ(dialled.pair.peer_has(), "");
    EXPECT_TRUE(dialled.link->greeting().empty()) << "the server has said nothing";
  });
}

TEST(WireOpening, AProxyThatClosesIsNamed) {
  on_own_thread([] {
    Dialled dialled(proxy_dial());
    dialled.writes(dialled.connect_packet());
    dialled.pair.peer_sends("HTTP/1.1 2");
    dialled.pair.close_peer();
    for (int i = 0; i < 2; ++i) dialled.turn();
    EXPECT_EQ(dialled.library_finds(), EPROTO);
    EXPECT_EQ(dialled.link->fault(), "the proxy closed the connection before it answered");
  });
}

TEST(WireOpening, AProxyThatCannotBeAskedEndsItAtOnce) {
  on_own_thread([] {
    Dial dial = proxy_dial();
    dial.target.host = "no name";
    Dialled dialled(std::move(dial));
    dialled.writes(dialled.connect_packet());
    EXPECT_NE(library_polls(dialled.pair.ours(), kBoundMs) & POLLIN, 0);
    EXPECT_EQ(dialled.library_finds(), EPROTO);
    EXPECT_NE(dialled.link->fault().find("the proxy cannot be asked"), std::string::npos);
  });
}

}  // namespace
}  // namespace triggerd::mqtt::wire::test
