#include "mqtt/reason.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "mqtt/packet/properties.hpp"

namespace triggerd::mqtt {
namespace {

TEST(Reason, ARefusalOf311IsItsReturnCodeInWords) {
  EXPECT_EQ(connack_refusal(1, "", false), "it does not speak MQTT 3.1.1 (return code 1)");
  EXPECT_EQ(connack_refusal(5, "", false), "not authorized (return code 5)");
  EXPECT_EQ(connack_refusal(6, "", false), "unknown return code (return code 6)");
}

TEST(Reason, ARefusalOfMqtt5IsItsReasonCodeAndWhatTheServerSaid) {
  EXPECT_EQ(connack_refusal(0x86, "", true), "bad user name or password (reason code 0x86)");
  EXPECT_EQ(connack_refusal(0x87, "ask\nme", true), reason_text(0x87, "ask\nme"));
}

TEST(Reason, AServerThatKnowsOnly311AnswersMqtt5WithItsOwnCode) {
  EXPECT_EQ(connack_refusal(1, "", true),
            "it does not speak MQTT 5 (return code 1); write protocol = \"3.1.1\"");
  EXPECT_EQ(connack_refusal(5, "", true), "not authorized (return code 5)");
}

// MQTT 5.0, section 2.4.
TEST(Reason, EveryCodeOfTheStandardHasWordsOfItsOwn) {
  std::set<int> codes{0x00, 0x04, 0x10, 0x11};
  for (int code = 0x80; code <= 0xa2; ++code) codes.insert(code);
  std::set<std::string> all;
  for (const int code : codes) {
    const std::string text = reason_text(code);
    EXPECT_EQ(text.find("unknown reason"), std::string::npos) << text;
    all.insert(text.substr(0, text.find(" (reason code ")));
  }
  EXPECT_EQ(all.size(), codes.size());
  EXPECT_EQ(reason_text(0xf0), "unknown reason (reason code 0xf0)");
}

TEST(Reason, WhatTheServerSaidIsShownWithoutWhatATerminalWouldObey) {
  EXPECT_EQ(reason_text(0x97, "stop\x1b[2J"),
            "a quota is exceeded (reason code 0x97): \"stop\\x1b[2J\"");
}

TEST(Reason, OfAConnackItIsItsReasonString) {
  std::string properties;
  encode_property(properties, {.id = property::kReceiveMaximum, .number = 5});
  encode_property(properties, {.id = property::kReasonString, .value = "in maintenance"});
  const auto connack = [](const std::string& list) {
    std::string rest = std::string("\x00\x88", 2) + static_cast<char>(list.size()) + list;
    return "\x20" + std::string(1, static_cast<char>(rest.size())) + rest;
  };
  const std::string whole = connack(properties);
  EXPECT_EQ(connack_reason(whole), "in maintenance");
  EXPECT_EQ(connack_reason(whole + "and more"), "in maintenance");
  EXPECT_EQ(connack_reason(connack({})), "");
  EXPECT_EQ(connack_reason(connack("\x1f")), "") << "the property is cut";
  EXPECT_EQ(connack_reason("\x30" + whole.substr(1)), "") << "no CONNACK";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(connack_reason(whole.substr(0, size)), "") << size << " bytes are here";
  }
}

}  // namespace
}  // namespace triggerd::mqtt
