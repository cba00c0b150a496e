// A server that sends what it may not, at a real runtime: that connection ends and says why, and
// nobody else notices. The table of packets is unit/mqtt/packet/packet_check_test.cpp.
#include <gtest/gtest.h>

#include <string>

#include "integration/recorded.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"
#include "support/scripted_broker.hpp"
#include "support/triggerd_process.hpp"

namespace triggerd::test {
namespace {

using namespace std::string_literals;

// In the bytes of an answer: the packet id of what it answers.
constexpr const char* kItsId = "\xfe\xfe";

struct Wrong {
  const char* name;
  bool v5;
  packet::Type answers;  // the packet of ours that it is the answer to
  std::string bytes;
  const char* said;
  // For the names of tests, which are to stay.
  friend void PrintTo(const Wrong& wrong, std::ostream* out) { *out << wrong.name; }
};

class WrongPacket : public testing::TestWithParam<Wrong> {
 protected:
  void start() {
    const std::string v5 = GetParam().v5 ? "protocol = \"5\"\n" : "";
    triggerd_.write_config(runtime_table() + alias_table("bad", broker_.port(), v5 + kRestless) +
                           alias_table("good", server_.port()) +
                           trigger_table("bad", "bad", "\"a\", \"b\"", dir_ / "bad") +
                           trigger_table("good", "good", "\"good\"", dir_ / "good"));
    triggerd_.start();
  }

  TempDir dir_;
  MosquittoServer server_;
  ScriptedBroker broker_;
  TriggerdProcess triggerd_{""};
};

TEST_P(WrongPacket, EndsItsConnectionAndNothingElse) {
  const Wrong& wrong = GetParam();
  broker_.on(wrong.answers, [&](const Received& got) {
    std::string bytes = wrong.bytes;
    const auto* const subscribe = std::get_if<packet::Subscribe>(&got.packet);
    if (const auto at = bytes.find(kItsId); subscribe != nullptr && at != bytes.npos) {
      bytes[at] = static_cast<char>(subscribe->packet_id >> 8);
      bytes[at + 1] = static_cast<char>(subscribe->packet_id & 0xff);
    }
    return Reply().send(bytes);
  });
  start();
  ASSERT_TRUE(triggerd_.wait_for_event("connection.failed", {wrong.said, "trigger=bad"}))
      << triggerd_.output();
  ASSERT_TRUE(triggerd_.wait_for_event("trigger.running", {"trigger=good"}));
  // Again and again.
  ASSERT_TRUE(broker_.wait_for_packet([](const Received& got) { return got.connection >= 8; }))
      << triggerd_.output();
  if (wrong.v5 && wrong.answers != packet::Type::connect) {
    EXPECT_TRUE(broker_.wait_for<packet::Disconnect>([](const packet::Disconnect& last) {
      return last.reason >= 0x80;
    })) << "a client of MQTT 5 says why";
  }
  ASSERT_TRUE(TestClient(server_.port()).publish("good", "x"));
  EXPECT_TRUE(wait_for_records(dir_ / "good", 1)) << triggerd_.output();
  EXPECT_EQ(triggerd_.stop(), Exit{}) << triggerd_.output();
  EXPECT_TRUE(records(dir_ / "bad").empty());
}

INSTANTIATE_TEST_SUITE_P(
    , WrongPacket,
    testing::Values(
        Wrong{"ConnackOf311", true, packet::Type::connect, "\x20\x02\x00\x01"s,
              "it does not speak MQTT 5 (return code 1)"},
        Wrong{"AcceptingConnackOf311", true, packet::Type::connect, "\x20\x02\x00\x00"s,
              "it does not speak MQTT 5 (return code 0)"},
        Wrong{"EmptyConnack", true, packet::Type::connect, "\x20\x00"s, "CONNACK is too short"},
        Wrong{"EmptyConnackWithALongLength", true, packet::Type::connect, "\x20\x80\x00"s,
              "CONNACK is too short"},
        Wrong{"EmptySubackWithALongLength", true, packet::Type::subscribe, "\x90\x80\x80\x00"s,
              "SUBACK has no packet id"},
        Wrong{"ConnackOf5", false, packet::Type::connect, "\x20\x03\x00\x00\x00"s,
              "CONNACK is too long"},
        Wrong{"EmptyConnack311", false, packet::Type::connect, "\x20\x00"s, "CONNACK is too short"},
        Wrong{"Http", false, packet::Type::connect, "HTTP/1.1 400 Bad Request\r\n\r\n"s,
              "it speaks HTTP, not MQTT: it answered with \"HTTP/1.1 400 Bad Request"},
        Wrong{"Ssh", true, packet::Type::connect, "SSH-2.0-OpenSSH_9.2\r\n"s,
              "it speaks SSH, not MQTT"},
        Wrong{"SubackWithFewCodes", false, packet::Type::subscribe, "\x90\x03\xfe\xfe\x00"s,
              "SUBACK has 1 code for 2 filters"},
        Wrong{"UnsubackForASubscribe", false, packet::Type::subscribe, "\xb0\x02\xfe\xfe"s,
              "which no request has"},
        Wrong{"PubackForASubscribe", false, packet::Type::subscribe, "\x40\x02\xfe\xfe"s,
              "of a SUBSCRIBE or UNSUBSCRIBE"},
        Wrong{"PubcompForASubscribe5", true, packet::Type::subscribe, "\x70\x02\xfe\xfe"s,
              "of a SUBSCRIBE or UNSUBSCRIBE"},
        Wrong{"SubackWithFewCodes5", true, packet::Type::subscribe, "\x90\x04\xfe\xfe\x00\x00"s,
              "SUBACK has 1 code for 2 filters"},
        Wrong{"EmptySuback", false, packet::Type::subscribe, "\x90\x00"s,
              "SUBACK has no packet id"},
        Wrong{"SubackOfNobody", true, packet::Type::subscribe, "\x90\x05\xff\xff\x00\x00\x00"s,
              "which no request has"},
        Wrong{"UnsubackOfNobody", false, packet::Type::subscribe, "\xb0\x02\xff\xff"s,
              "which no request has"},
        Wrong{"EmptyPublish", false, packet::Type::subscribe, "\x30\x00"s,
              "ends in the middle of its topic"},
        Wrong{"Qos3", true, packet::Type::subscribe, "\x36\x06\x00\x01t\x00\x01\x00"s, "has QoS 3"},
        Wrong{"TopicThatIsNoText", false, packet::Type::subscribe, "\x30\x04\x00\x02\xc3\x28"s,
              "is not a topic name"},
        Wrong{"TopicWithNul", true, packet::Type::subscribe, "\x32\x08\x00\x03t\x00t\x00\x01\x00"s,
              "is not a topic name"},
        Wrong{"UnknownAlias", true, packet::Type::subscribe,
              "\x32\x08\x00\x00\x00\x01\x03\x23\x00\x05"s,
              "topic alias 5 without having defined it"},
        Wrong{"Properties", true, packet::Type::subscribe, "\x30\x05\x00\x01t\x01\x7f"s,
              "the properties of its PUBLISH are malformed"},
        Wrong{"EmptyPuback", false, packet::Type::subscribe, "\x40\x00"s,
              "PUBACK has no packet id"},
        Wrong{"ServersSubscribe", true, packet::Type::subscribe, "\x82\x00"s,
              "a server may not send SUBSCRIBE"}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace triggerd::test
