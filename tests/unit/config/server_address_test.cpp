#include "config/server_address.hpp"

#include <gtest/gtest.h>

namespace triggerd::config {
namespace {

std::string normalized(std::string_view text) {
  const auto server = parse_server(text);
  return server ? to_string(*server) : "error: " + server.error().message;
}

TEST(ServerAddressTest, FillsInWhatIsLeftOut) {
  EXPECT_EQ(normalized("tcp://broker"), "tcp://broker:1883");
  EXPECT_EQ(normalized("mqtt://broker"), "tcp://broker:1883");
  EXPECT_EQ(normalized("ws://broker"), "ws://broker:80/mqtt");
  EXPECT_EQ(normalized("ws://broker:8080/a/b@c"), "ws://broker:8080/a/b@c");
  EXPECT_EQ(normalized("ssl://broker"), "ssl://broker:8883");
  EXPECT_EQ(normalized("tls://broker"), "ssl://broker:8883");
  EXPECT_EQ(normalized("mqtts://broker:1"), "ssl://broker:1");
  EXPECT_EQ(normalized("wss://broker"), "wss://broker:443/mqtt");
  EXPECT_EQ(normalized("wss://broker:1/x"), "wss://broker:1/x");
  EXPECT_EQ(normalized("MQTT://Broker.Example:1"), "tcp://broker.example:1");
  EXPECT_EQ(normalized("tcp://127.0.0.1:65535"), "tcp://127.0.0.1:65535");
}

TEST(ServerAddressTest, TakesIpv6InBrackets) {
  const auto server = parse_server("tcp://[FE80::1%eth0]:1884");
  ASSERT_TRUE(server) << server.error().message;
  EXPECT_EQ(server->host, "fe80::1%eth0");
  EXPECT_EQ(server->port, 1884);
  EXPECT_EQ(to_string(*server), "tcp://[fe80::1%eth0]:1884");
  EXPECT_EQ(normalized("ws://[::1]/x"), "ws://[::1]:80/x");
  for (const char* bad : {"tcp://[::1", "tcp://[]", "tcp://[::1]1883", "tcp://[::1]:", "tcp://::1",
                          "tcp://[1.2.3.4]", "tcp://[::1%]", "tcp://[::1%a b]"}) {
    EXPECT_FALSE(parse_server(bad)) << bad;
  }
}

TEST(ServerAddressTest, RefusesPortsThatAreNone) {
  for (const char* bad : {"tcp://h:", "tcp://h:0", "tcp://h:65536", "tcp://h:-1", "tcp://h:+1",
                          "tcp://h:1883x", "tcp://h: 1", "tcp://h:99999999999999999999"}) {
    EXPECT_FALSE(parse_server(bad)) << bad;
  }
}

TEST(ServerAddressTest, RefusesHostsThatAreNone) {
  for (const char* bad :
       {"", "h", "://h", "tcp:h", "tcp://", "tcp:///", "tcp://:1883", "tcp://a b", "tcp://a\nb",
        "tcp://h/x", "ssl://h/x", "ws://h/a b", "ws://h/a#b", "ws://h/a\x7f"}) {
    EXPECT_FALSE(parse_server(bad)) << bad;
  }
  EXPECT_FALSE(parse_server(std::string("tcp://a\0b", 9)));
  EXPECT_TRUE(parse_server("tcp://" + std::string(253, 'h')));
  EXPECT_FALSE(parse_server("tcp://" + std::string(254, 'h')));
}

TEST(ServerAddressTest, NoErrorQuotesTheAddress) {
  for (const char* bad :
       {"tcp://edge:secret@h", "edge:secret@h", "tcp://secret@h:1", "ssl://edge:secret@h",
        "tcp://edge:secret", "tcp://h/secret", "ws://h?secret", "ws://h/?secret", "secret://h",
        "tcp://[secret]", "tcp://se cret", "secret"}) {
    const auto server = parse_server(bad);
    ASSERT_FALSE(server) << bad;
    EXPECT_EQ(server.error().message.find("secret"), std::string::npos) << server.error().message;
  }
}

TEST(ServerAddressTest, SaysWhereUserNameAndPasswordBelong) {
  for (const char* bad : {"tcp://edge:secret@h", "edge:secret@h", "ssl://edge@h", "tcp://@h"}) {
    const auto server = parse_server(bad);
    ASSERT_FALSE(server) << bad;
    EXPECT_NE(server.error().message.find("belong in user_name and password"), std::string::npos)
        << bad;
  }
}

}  // namespace
}  // namespace triggerd::config
