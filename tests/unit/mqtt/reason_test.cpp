#include "mqtt/reason.hpp"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace triggerd::mqtt
