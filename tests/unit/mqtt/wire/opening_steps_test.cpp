// Opening by itself: bytes in, bytes out, without a socket.
#include <gtest/gtest.h>

#include <string>

#include "mqtt/wire/opening.hpp"
#include "unit/mqtt/wire/any_websocket.hpp"
#include "unit/mqtt/wire/websocket_server.hpp"

namespace triggerd::mqtt::wire::test {
namespace {

class OpeningSteps : public testing::Test {
 protected:
  void through_proxy() {
    dial_.proxy = config::Proxy{.scheme = config::Proxy::Scheme::http, .host = "gate"};
    dial_.target = {.host = "broker", .port = 1883};
  }
  void in_frames() { dial_.websocket = WebSocket::Target{.host = "broker", .path = "/mqtt"}; }
  void begin() {
    opening_.carry(dial_);
    EXPECT_TRUE(opening_.begin(out_));
    EXPECT_FALSE(opening_.begin(out_)) << "once";
  }
  std::string taken() { return std::exchange(out_, {}); }

  Dial dial_;
  Opening opening_;
  std::string out_;
};

TEST_F(OpeningSteps, WithNothingBeforeItMqttMayBeSpokenAtOnce) {
  begin();
  EXPECT_TRUE(opening_.open());
  opening_.add_packet("packet", out_);
  EXPECT_EQ(taken(), "packet");
}

TEST_F(OpeningSteps, WhatTheLibraryWritesWaitsForTheProxy) {
  through_proxy();
  begin();
  EXPECT_TRUE(taken().starts_with("CONNECT broker:1883 HTTP/1.1\r\n"));
  opening_.hold("con");
  opening_.hold("nect");
  EXPECT_TRUE(opening_.at_proxy());
  const std::string answer = "HTTP/1.1 200 OK\r\n\r\n";
  EXPECT_EQ(opening_.proxy_said(answer + "server", out_), answer.size()) << "the rest is MQTT";
  EXPECT_TRUE(opening_.open());
  EXPECT_EQ(taken(), "connect");
}

TEST_F(OpeningSteps, TheUpgradeComesBehindTheProxyAndThenFrames) {
  through_proxy();
  in_frames();
  begin();
  (void)taken();
  opening_.hold("connect");
  (void)opening_.proxy_said("HTTP/1.1 200 OK\r\n\r\n", out_);
  EXPECT_TRUE(opening_.at_websocket());
  std::string accepted = accepts(taken());
  EXPECT_EQ(opening_.websocket()->receive(accepted.data(), accepted.size()), 0U);
  ASSERT_TRUE(opening_.websocket()->open());
  opening_.upgraded(out_);
  EXPECT_TRUE(opening_.open());
  const auto frames = client_frames(taken());
  ASSERT_TRUE(frames && frames->size() == 1);
  EXPECT_EQ(frames->front().payload, "connect");
}

TEST_F(OpeningSteps, WithTlsTheProxyHasBeenPassed) {
  through_proxy();
  dial_.tls = true;
  begin();
  EXPECT_TRUE(opening_.open());
  EXPECT_EQ(taken(), "");
}

TEST_F(OpeningSteps, AProxyThatRefusesIsAFault) {
  through_proxy();
  begin();
  (void)opening_.proxy_said("HTTP/1.1 403 Forbidden\r\n\r\n", out_);
  EXPECT_FALSE(opening_.open());
  EXPECT_TRUE(opening_.proxy_fault().starts_with("the proxy ")) << opening_.proxy_fault();
}

TEST_F(OpeningSteps, AnEndIsTooEarlyUntilMqttMayBeSpoken) {
  through_proxy();
  begin();
  EXPECT_NE(opening_.ended(), "");
  Opening upgrade;
  in_frames();
  dial_.proxy.reset();
  upgrade.carry(dial_);
  upgrade.begin(out_);
  EXPECT_NE(upgrade.ended(), "");
  Opening open;
  open.carry(Dial{});
  open.begin(out_);
  EXPECT_EQ(open.ended(), "");
}

TEST_F(OpeningSteps, WhatWasHeldIsForgottenWithTheConnection) {
  through_proxy();
  begin();
  (void)taken();
  opening_.hold("connect");
  opening_.forget_held();
  (void)opening_.proxy_said("HTTP/1.1 200 OK\r\n\r\n", out_);
  EXPECT_EQ(taken(), "");
}

}  // namespace
}  // namespace triggerd::mqtt::wire::test
