// Packets that a server sends, right and wrong, of both versions.
#include "mqtt/packet/packet_check.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"
#include "mqtt/packet/properties.hpp"
#include "unit/mqtt/packet/any_packets.hpp"

namespace triggerd::mqtt {
namespace {

// "90 03" and so on; words in quotes stand for themselves.
std::string bytes_of(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == ' ') {
      ++i;
    } else if (text[i] == '\'') {
      const std::size_t end = text.find('\'', i + 1);
      bytes += text.substr(i + 1, end - i - 1);
      i = end + 1;
    } else {
      bytes += static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16));
      i += 2;
    }
  }
  return bytes;
}

constexpr const char* kConnect4 = "10 0d 00 04 'MQTT' 04 02 00 3c 00 01 'c'";
// Topic Alias Maximum 2.
constexpr const char* kConnect5 = "10 11 00 04 'MQTT' 05 02 00 3c 03 22 00 02 00 01 'c'";

struct Case {
  const char* packet;
  const char* what;         // a part of what is said; "": nothing
  std::uint8_t reason = 0;  // 0: not looked at
};

class Server {
 public:
  explicit Server(int version) : v5_(version == 5) {
    check_.sends(bytes_of(v5_ ? kConnect5 : kConnect4));
  }
  void connect() { EXPECT_EQ(says(v5_ ? "20 03 00 00 00" : "20 02 00 00").what, ""); }
  // What asks for two filters with id 1 and 2, and for one with 3.
  void subscribe() {
    const std::string properties = v5_ ? "00 " : "";
    const std::string more = v5_ ? "1" : "";
    check_.sends(bytes_of((v5_ ? "82 0b 00 01 " : "82 0a 00 01 ") + properties +
                          "00 01 'a' 01 00 01 'b' 01"));
    check_.sends(
        bytes_of((v5_ ? "a2 09 00 02 " : "a2 08 00 02 ") + properties + "00 01 'a' 00 01 'b'"));
    check_.sends(bytes_of((v5_ ? "82 07 00 03 " : "82 06 00 03 ") + properties + "00 01 'a' 02"));
  }
  PacketCheck::Wrong says(std::string_view packet) {
    const std::string all = bytes_of(packet);
    const auto first = static_cast<std::uint8_t>(all[0]);
    auto wrong = check_.begins(first, all);
    if (!wrong) {
      std::string_view rest = std::string_view(all).substr(1);
      const auto length = take_variable(rest);
      EXPECT_TRUE(length && *length == rest.size()) << packet;
      wrong = check_.look(first, rest);
    }
    return wrong.value_or(PacketCheck::Wrong{"", 0});
  }

 private:
  const bool v5_;
  PacketCheck check_;
};

void expect_said(const PacketCheck::Wrong& said, const Case& one) {
  const std::string what = one.what;
  EXPECT_NE(said.what.find(what), std::string::npos) << one.packet << " said " << said.what;
  EXPECT_EQ(said.what.empty(), what.empty()) << one.packet << " said " << said.what;
  if (one.reason != 0) {
    EXPECT_EQ(said.reason, one.reason) << one.packet;
  }
}

TEST(PacketCheck, TheFirstPacketIsAConnackOfTheVersionThatWasAskedFor) {
  for (const Case& one :
       std::vector<Case>{{"20 02 00 00", ""},
                         {"20 02 01 00", ""},
                         {"20 02 00 05", ""},
                         {"20 02 00 06", "return code 6"},
                         {"20 02 02 00", "flags of its CONNACK are 2"},
                         {"20 02 01 05", ""},  // the code is what matters
                         {"20 00", "CONNACK is too short"},
                         {"20 01 00", "CONNACK is too short"},
                         {"20 03 00 00 00", "CONNACK is too long"},
                         {"21 02 00 00", "it is not an MQTT server"},
                         {"d0 00", "it is not an MQTT server"},
                         {"30 03 00 01 't'", "it is not an MQTT server"},
                         {"90 03 00 01 00", "it is not an MQTT server"},
                         {"'HTTP/1.1 400 Bad Request'", "it speaks HTTP, not MQTT"},
                         {"'SSH-2.0-OpenSSH_9.2'", "it speaks SSH, not MQTT"},
                         {"'AMQP' 00 00 09 01", "it speaks AMQP, not MQTT"},
                         {"15 03 01 00 02 02 28", "it speaks TLS, not MQTT"}}) {
    expect_said(Server(4).says(one.packet), one);
  }
  for (const Case& one : std::vector<Case>{
           {"20 03 00 00 00", ""},
           {"20 03 00 87 00", ""},
           {"20 06 00 00 03 21 00 0a", ""},
           {"20 02 00 01", "it does not speak MQTT 5 (return code 1)"},
           {"20 02 00 00", "it does not speak MQTT 5 (return code 0)"},
           {"20 00", "CONNACK is too short", 0x81},
           {"20 03 00 05 00", "return code 5"},
           {"20 03 02 00 00", "flags of its CONNACK are 2"},
           {"20 03 01 87 00", ""},
           {"20 05 00 00 02 24 02", ""},  // is to be left out, and some servers send it
           {"20 03 00 00 01", "ends in the middle of its properties"},
           {"20 04 00 00 00 00", "has extra bytes after its properties"},
           {"20 06 00 00 03 21 00 00", "property 0x21 of its CONNACK is 0"},
           {"20 05 00 00 02 24 03", "property 0x24 of its CONNACK is 3"},
           {"20 09 00 00 06 21 00 01 21 00 02", "property 0x21 appears twice"},
           {"20 06 00 00 03 23 00 01", "a CONNACK may not have property 0x23"},
           {"20 05 00 00 02 7f 00", "0x7f is not an MQTT 5 property"},
           {"20 05 00 00 02 21 00", "it ends in the middle of property 0x21"},
           {"20 07 00 00 04 1f 00 01 ff", "property 0x1f of its CONNACK is not UTF-8 text"}}) {
    expect_said(Server(5).says(one.packet), one);
  }
}

TEST(PacketCheck, WhatComesAfterwardsIsWhatAServerSends) {
  for (const int version : {4, 5}) {
    for (const Case& one : std::vector<Case>{{"d0 00", ""},
                                             {"d0 01 00", "PINGRESP is too long"},
                                             {"d1 00", "flags of its PINGRESP are 1"},
                                             {"10 00", "a server may not send CONNECT"},
                                             {"82 00", "a server may not send SUBSCRIBE"},
                                             {"a2 00", "a server may not send UNSUBSCRIBE"},
                                             {"c0 00", "a server may not send PINGREQ"},
                                             {"00 00", "a server may not send a packet of type 0"},
                                             {"f0 00", "a server may not send AUTH"},
                                             {"20 02 00 00", "a second CONNACK"},
                                             {"40 02 00 01", ""},
                                             {"40 02 00 00", "packet id of its PUBACK is 0"},
                                             {"40 01 00", "PUBACK has no packet id"},
                                             {"40 00", "PUBACK has no packet id"},
                                             {"41 02 00 01", "flags of its PUBACK are 1"},
                                             {"50 02 00 01", ""},
                                             {"52 02 00 01", "flags of its PUBREC are 2"},
                                             {"62 02 00 01", ""},
                                             {"60 02 00 01", "flags of its PUBREL are 0"},
                                             {"62 00", "PUBREL has no packet id"},
                                             {"70 02 00 01", ""},
                                             {"70 02 00 00", "packet id of its PUBCOMP is 0"}}) {
      Server server(version);
      server.connect();
      expect_said(server.says(one.packet), one);
    }
  }
  for (const Case& one : std::vector<Case>{{"40 03 00 01 00", "PUBACK is too long"},
                                           {"62 04 00 01 00 00", "PUBREL is too long"},
                                           {"e0 00", "a server may not send DISCONNECT"}}) {
    Server server(4);
    server.connect();
    expect_said(server.says(one.packet), one);
  }
  for (const Case& one :
       std::vector<Case>{{"40 03 00 01 10", ""},
                         {"40 04 00 01 10 00", ""},
                         {"40 08 00 01 80 04 1f 00 01 'x'", ""},
                         {"40 05 00 01 10 00 00", "has extra bytes after its properties"},
                         {"40 04 00 01 10 01", "ends in the middle of its properties"},
                         {"40 07 00 01 10 03 21 00 01", "a PUBACK may not have property 0x21"},
                         {"e0 00", ""},
                         {"e0 01 8e", ""},
                         {"e0 02 8e 00", ""},
                         {"e0 06 8e 04 1f 00 01 'x'", ""},
                         {"e0 03 8e 00 00", "has extra bytes after its properties"},
                         {"e1 00", "flags of its DISCONNECT are 1"}}) {
    Server server(5);
    server.connect();
    expect_said(server.says(one.packet), one);
  }
}

TEST(PacketCheck, AnAnswerHasACodeForEachFilterAndIsToWhatWasAsked) {
  for (const Case& one :
       std::vector<Case>{{"90 04 00 01 00 01", ""},
                         {"90 04 00 01 80 02", ""},
                         {"90 03 00 03 02", ""},
                         {"90 03 00 01 00", "SUBACK has 1 code for 2 filters"},
                         {"90 02 00 01", "SUBACK has 0 codes for 2 filters"},
                         {"90 05 00 01 00 00 00", "SUBACK has 3 codes for 2 filters"},
                         {"90 04 00 07 00 00", "SUBACK has packet id 7, which no request has"},
                         {"90 01 00", "SUBACK has no packet id"},
                         {"90 04 00 01 00 03", "SUBACK has code 0x03"},
                         {"90 04 00 01 00 87", ""},  // of MQTT 5, and refused all the same
                         {"90 02 00 02", "SUBACK has packet id 2"},
                         {"b0 02 00 01", "UNSUBACK has packet id 1"},
                         {"40 02 00 01", "PUBACK has the packet id of a SUBSCRIBE or UNSUBSCRIBE"},
                         {"50 02 00 02", "PUBREC has the packet id of a SUBSCRIBE or UNSUBSCRIBE"},
                         {"70 02 00 03", "PUBCOMP has the packet id of a SUBSCRIBE or UNSUBSCRIBE"},
                         {"62 02 00 01", ""},
                         {"b0 02 00 02", ""},
                         {"b0 03 00 02 00", "UNSUBACK is too long"},
                         {"b0 02 00 09", "UNSUBACK has packet id 9, which no request has"},
                         {"b0 00", "UNSUBACK has no packet id"}}) {
    Server server(4);
    server.connect();
    server.subscribe();
    expect_said(server.says(one.packet), one);
  }
  for (const Case& one :
       std::vector<Case>{{"90 05 00 01 00 00 01", ""},
                         {"90 05 00 01 00 87 97", ""},
                         {"90 09 00 03 05 1f 00 02 'no' 83", ""},
                         {"90 04 00 01 00 00", "SUBACK has 1 code for 2 filters", 0x82},
                         {"90 03 00 01 00", "SUBACK has 0 codes for 2 filters"},
                         {"90 02 00 01", "ends in the middle of its properties", 0x81},
                         {"90 06 00 01 00 00 00 00", "SUBACK has 3 codes for 2 filters"},
                         {"90 05 00 07 00 00 00", "SUBACK has packet id 7"},
                         {"b0 05 00 02 00 00 11", ""},
                         {"b0 03 00 02 00", "UNSUBACK has 0 codes for 2 filters"},
                         {"b0 02 00 02", "ends in the middle of its properties"}}) {
    Server server(5);
    server.connect();
    server.subscribe();
    expect_said(server.says(one.packet), one);
  }
}

TEST(PacketCheck, WhereItIsNotKnownWhatElseCameThePacketIsNamed) {
  const PacketCheck check;
  EXPECT_EQ(check.begins(0x30, "")->what,
            "protocol error by the server: its PUBLISH came before CONNACK");
}

TEST(PacketCheck, AnAnswerComesOnce) {
  Server server(4);
  server.connect();
  server.subscribe();
  EXPECT_EQ(server.says("90 03 00 03 00").what, "");
  EXPECT_NE(server.says("90 03 00 03 00").what, "");
}

TEST(PacketCheck, AMessageHasATopicNameAndAnId) {
  for (const Case& one :
       std::vector<Case>{{"30 05 00 01 't' 'hi'", ""},
                         {"31 03 00 01 't'", ""},
                         {"32 05 00 01 't' 00 01", ""},
                         {"3c 07 00 01 't' 00 01 'hi'", ""},
                         {"30 04 00 02 c3 bc", ""},
                         {"36 05 00 01 't' 00 01", "has QoS 3"},
                         {"30 00", "ends in the middle of its topic"},
                         {"30 01 00", "ends in the middle of its topic"},
                         {"30 03 00 02 't'", "ends in the middle of its topic"},
                         {"30 02 00 00", "neither a topic nor a topic alias"},
                         {"32 03 00 01 't'", "has no packet id"},
                         {"32 05 00 01 't' 00 00", "packet id of its PUBLISH is 0"},
                         {"30 05 00 03 't/+'", "is not a topic name"},
                         {"30 03 00 01 '#'", "is not a topic name"},
                         {"30 05 00 03 't' 00 't'", "is not a topic name"},
                         {"30 04 00 02 c3 28", "is not a topic name"},
                         {"30 05 00 03 ed a0 80", "is not a topic name"}}) {
    Server server(4);
    server.connect();
    expect_said(server.says(one.packet), one);
  }
  for (const Case& one : std::vector<Case>{
           {"30 06 00 01 't' 00 'hi'", ""},
           {"32 06 00 01 't' 00 01 00", ""},
           {"30 09 00 01 't' 04 0b 01 0b 02 'h'", ""},
           {"30 0c 00 01 't' 08 26 00 01 'a' 00 01 'b' 00", "0x00 is not an MQTT 5 property"},
           {"30 03 00 01 't'", "ends in the middle of its properties"},
           {"30 06 00 01 't' 02 01 02", "property 0x01 of its PUBLISH is 2"},
           {"30 06 00 01 't' 02 0b 00", "property 0x0b of its PUBLISH is 0"},
           {"30 08 00 01 't' 04 03 00 01 ff", "property 0x03 of its PUBLISH is not UTF-8 text"},
           {"30 07 00 01 't' 03 21 00 01", "a PUBLISH may not have property 0x21"},
           {"30 0e 00 01 't' 0a 02 00 00 00 01 02 00 00 00 01", "property 0x02 appears twice"},
           {"30 05 00 03 't' 00 't'", "is not a topic name", 0x90},
           {"30 03 00 00 00", "neither a topic nor a topic alias", 0x82}}) {
    Server server(5);
    server.connect();
    expect_said(server.says(one.packet), one);
  }
}

TEST(PacketCheck, ATopicAliasWasGivenOnThisConnection) {
  Server server(5);
  server.connect();
  expect_said(server.says("30 06 00 00 03 23 00 01"),
              {"", "topic alias 1 without having defined it", 0x94});
  EXPECT_EQ(server.says("30 07 00 01 't' 03 23 00 01").what, "");
  EXPECT_EQ(server.says("30 06 00 00 03 23 00 01").what, "");
  expect_said(server.says("30 06 00 00 03 23 00 02"), {"", "topic alias 2 without", 0x94});
  expect_said(server.says("30 07 00 01 't' 03 23 00 03"), {"", "not between 1 and 2", 0x94});
  expect_said(server.says("30 07 00 01 't' 03 23 00 00"), {"", "not between 1 and 2", 0x94});
}

TEST(PacketCheck, WhatHasNotComeWholeChangesNothing) {
  for (const int version : {4, 5}) {
    PacketCheck check;
    const std::string connect = bytes_of(version == 5 ? kConnect5 : kConnect4);
    for (std::size_t size = 0; size < connect.size(); ++size) {
      check.sends(std::string_view(connect).substr(0, size));
    }
    check.sends(bytes_of("82 02 00"));
    check.sends(bytes_of("82 ff ff ff"));
    EXPECT_TRUE(check.look(0x90, bytes_of("00 01 00")));
  }
}

TEST(PacketCheck, TheCorpusOfTheFuzzerBreaksNothing) {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(FUZZ_CORPUS)) {
    const auto bytes = read_file(entry.path(), 1 << 20);
    ASSERT_TRUE(bytes);
    look_at_any_packets(*bytes);
    ++files;
  }
  EXPECT_GE(files, 10U);
}

TEST(PacketCheck, FirstBytesAreThoseOnTheWire) {
  EXPECT_EQ(first_bytes(0x20, bytes_of("00 01")), "20 02 00 01");
  EXPECT_EQ(first_bytes(0xd0, ""), "d0 00");
  EXPECT_EQ(first_bytes(0xe0, std::string(200, 'x')).substr(0, 11), "e0 c8 01 78");
  // What is in a message is nobody's affair.
  EXPECT_EQ(first_bytes(0x30, bytes_of("00 01 't' 'secret'")), "30 09 00 01 74 ...");
  EXPECT_EQ(first_bytes(0x32, bytes_of("00 01 't' 00 07 'secret'")), "32 0b 00 01 74 00 07 ...");
  EXPECT_EQ(first_bytes(0x30, bytes_of("ff ff 'secret'")), "30 08 ff ff ...");
}

}  // namespace
}  // namespace triggerd::mqtt
