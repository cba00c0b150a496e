// What a server of WebSockets may send and what it may not, in every cut; and what is sent to it.
#include "mqtt/wire/websocket.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/file.hpp"
#include "unit/mqtt/wire/any_websocket.hpp"

namespace triggerd::mqtt::wire {
namespace {

using namespace std::string_literals;
using test::client_frames;
using test::ClientFrame;
using test::kAccepted;
using test::KnownRandom;
using test::Outcome;
using test::receive_in_pieces;
using test::without_quotes;

constexpr std::uint8_t kBinary = 0x82;
constexpr std::uint8_t kClose = 0x88;
constexpr std::uint8_t kPing = 0x89;
constexpr std::uint8_t kPong = 0x8a;
constexpr std::uint8_t kBegins = 0x02;     // a message, which goes on
constexpr std::uint8_t kGoesOn = 0x00;     // and on
constexpr std::uint8_t kGoesOnEnd = 0x80;  // and ends

std::string number(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i) & 0xff);
  return text;
}

// A frame of the server's.
std::string frame(std::uint8_t first, const std::string& payload) {
  std::string bytes(1, static_cast<char>(first));
  if (payload.size() < 126) return bytes + number(payload.size(), 1) + payload;
  if (payload.size() < 65536) return bytes + "\x7e" + number(payload.size(), 2) + payload;
  return bytes + "\x7f" + number(payload.size(), 8) + payload;
}

std::string close_frame(std::uint16_t code, const std::string& reason = {}) {
  return frame(kClose, number(code, 2) + reason);
}

// The same whatever the cut: in one piece, in every two, and byte by byte.
Outcome in_every_cut(const std::string& bytes) {
  Outcome whole = receive_in_pieces(bytes, {bytes.size()});
  for (std::size_t at = 1; at < bytes.size(); ++at) {
    EXPECT_EQ(without_quotes(receive_in_pieces(bytes, {at, bytes.size() - at})),
              without_quotes(whole))
        << "cut at " << at;
  }
  EXPECT_EQ(without_quotes(receive_in_pieces(bytes, {1})), without_quotes(whole));
  return whole;
}

Outcome frames_in_every_cut(const std::string& frames) {
  return in_every_cut(std::string(kAccepted) + frames);
}

std::string bytes_of(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 7 + i / 251);
  return bytes;
}

std::vector<ClientFrame> answers(const Outcome& outcome) {
  const auto frames = client_frames(outcome.output);
  EXPECT_TRUE(frames);
  return frames.value_or(std::vector<ClientFrame>());
}

// ---- The upgrade ----

TEST(WebSocket, AsksForMqttWithAKeyOfItsOwn) {
  const WebSocket socket({"[::1]:8080", "/a/b"}, KnownRandom());
  EXPECT_EQ(socket.request(),
            "GET /a/b HTTP/1.1\r\nHost: [::1]:8080\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n");
  std::set<std::string> requests;
  for (int i = 0; i < 100; ++i) requests.insert(WebSocket({"h", "/"}).request());
  EXPECT_EQ(requests.size(), 100U);
}

struct Answer {
  const char* name;
  std::string bytes;
  std::string fault;  // a part of it; empty: accepted
  friend void PrintTo(const Answer& answer, std::ostream* out) { *out << answer.name; }
};

// Of the right answer, with one line otherwise ("": without it), and more lines.
std::string answer(std::size_t line = 99, const std::string& instead = {},
                   const std::string& more = {}) {
  std::vector<std::string> lines = {
      "HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "Sec-WebSocket-Protocol: mqtt"};
  if (line < lines.size()) lines[line] = instead;
  std::string bytes;
  for (const std::string& one : lines) bytes += one.empty() ? "" : one + "\r\n";
  return bytes + more + "\r\n";
}
std::string with(const std::string& more) {
  return answer(99, "", more + "\r\n");
}

constexpr std::size_t kUpgrade = 1;
constexpr std::size_t kConnection = 2;
constexpr std::size_t kAccept = 3;
constexpr std::size_t kProtocol = 4;

class UpgradeAnswer : public testing::TestWithParam<Answer> {};

TEST_P(UpgradeAnswer, InEveryCut) {
  const std::string behind = frame(kBinary, "\x20\x02\x00\x00"s);
  const Outcome outcome = in_every_cut(GetParam().bytes + behind);
  if (GetParam().fault.empty()) {
    EXPECT_EQ(outcome.fault, "");
    EXPECT_TRUE(outcome.open);
    EXPECT_EQ(outcome.mqtt, "\x20\x02\x00\x00"s) << "what is behind it in the same read";
  } else {
    EXPECT_NE(outcome.fault.find(GetParam().fault), std::string::npos) << outcome.fault;
    EXPECT_FALSE(outcome.open);
    EXPECT_EQ(outcome.mqtt, "");
  }
  EXPECT_FALSE(outcome.fault.ends_with(", to \"not here\""));
  EXPECT_EQ(outcome.output, "") << "where it is none, there are no frames";
}

const char* const kWrongAccept = "has a wrong Sec-WebSocket-Accept";
const char* const kNotHttp = "it does not speak WebSocket: it answered with ";

INSTANTIATE_TEST_SUITE_P(
    Accepted, UpgradeAnswer,
    testing::Values(
        Answer{"Plain", answer(), ""}, Answer{"Shortest", std::string(kAccepted), ""},
        Answer{"NoPhrase", "HTTP/1.1 101" + answer().substr(32), ""},
        Answer{"NoPhraseButItsBlank", "HTTP/1.1 101 " + answer().substr(32), ""},
        Answer{"Http10", answer(0, "HTTP/1.0 101 Switching Protocols"), ""},
        Answer{"OtherCase",
               "HTTP/1.1 101 x\r\nUPGRADE: WebSocket\r\nconnection:upgrade\r\n"
               "sec-websocket-accept:s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
               ""},
        Answer{"Lists",
               "HTTP/1.1 101 x\r\nUpgrade: h2c , websocket\r\nConnection: keep-alive,\tUPGRADE\r\n"
               "Sec-WebSocket-Accept:  s3pPLMBiTxaQ9kYGzzhZRbK+xOo= \t\r\n\r\n",
               ""},
        Answer{"SeveralLines", answer(kConnection, "Connection: close\r\nConnection: upgrade"), ""},
        Answer{"NoProtocol", answer(kProtocol), ""},
        Answer{"EmptyProtocol", answer(kProtocol, "Sec-WebSocket-Protocol:"), ""},
        Answer{"OlderProtocol", answer(kProtocol, "Sec-WebSocket-Protocol: mqttv3.1"), ""},
        Answer{"EmptyExtensions", with("Sec-WebSocket-Extensions: "), ""},
        Answer{"Utf8", with("X: \xc3\xa9 and \xff"), ""}, Answer{"EmptyField", with("X:"), ""},
        Answer{"BareLineFeeds",
               "HTTP/1.1 101 x\nUpgrade: websocket\nConnection: upgrade\n"
               "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\n\n",
               ""},
        Answer{"FoldedLines",
               "HTTP/1.1 101 x\r\nUpgrade:\r\n websocket\r\nConnection: close,\r\n\tupgrade\r\n"
               "Sec-WebSocket-Accept:\r\n  s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n \r\n\r\n",
               ""},
        Answer{"AfterInterimOnes",
               "HTTP/1.1 103 Early Hints\r\nSec-WebSocket-Protocol: chat\r\nno field\r\n\r\n"
               "HTTP/1.1 100 Continue\r\n\r\n" +
                   answer(),
               ""}),
    [](const auto& info) { return std::string(info.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Refused, UpgradeAnswer,
    testing::Values(
        Answer{"NoUpgrade", answer(kUpgrade), "has no \"Upgrade: websocket\""},
        Answer{"OtherUpgrade", answer(kUpgrade, "Upgrade: websockets"), "has no \"Upgrade"},
        Answer{"NoConnection", answer(kConnection), "has no \"Connection: upgrade\""},
        Answer{"OtherConnection", answer(kConnection, "Connection: keep-alive"),
               "has no \"Connection"},
        Answer{"NoAccept", answer(kAccept), "has no Sec-WebSocket-Accept"},
        Answer{"EmptyAccept", answer(kAccept, "Sec-WebSocket-Accept: "),
               "has no Sec-WebSocket-Accept"},
        Answer{"OtherAccept", answer(kAccept, "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
               kWrongAccept},
        Answer{"AcceptOfOtherCase",
               answer(kAccept, "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo="), kWrongAccept},
        Answer{"AcceptTwice", with("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
               kWrongAccept},
        Answer{"KeyAsAccept", answer(kAccept, "Sec-WebSocket-Accept: dGhlIHNhbXBsZSBub25jZQ=="),
               kWrongAccept},
        Answer{"OtherProtocol", answer(kProtocol, "Sec-WebSocket-Protocol: chat"),
               "has a protocol that was not asked for: \"chat\""},
        Answer{"TwoProtocols", answer(kProtocol, "Sec-WebSocket-Protocol: mqtt, chat"),
               "has a protocol that was not asked for: \"mqtt, chat\""},
        Answer{"Extension", with("Sec-WebSocket-Extensions: permessage-deflate"),
               "has an extension that was not asked for: \"permessage-deflate\""},
        Answer{"NoField", with("what is this"),
               "has a line that is not a header field: \"what is this\""},
        Answer{"BlankBeforeColon", with("Upgrade : websocket"), "\"Upgrade : websocket\""},
        Answer{"NoName", with(": websocket"), "\": websocket\""},
        Answer{"Nul", with("X: a\0b"s), "\"X: a\\x00b\""},
        Answer{"BareCarriageReturn", with("X: a\rY: b"), "\"X: a\\x0dY: b\""},
        Answer{"FoldedStatusLine", answer(0, "HTTP/1.1 101 x\r\n y"), "\" y\""},
        Answer{"Moved", "HTTP/1.1 301 Moved Permanently\r\nLocation: wss://elsewhere/\r\n\r\n",
               "the server refused the WebSocket: HTTP 301 Moved Permanently, to "
               "\"wss://elsewhere/\""},
        Answer{"MovedNowhere", "HTTP/1.1 302 Found\r\n\r\n", "HTTP 302 Found"},
        Answer{"MovedWithControls", "HTTP/1.1 302 Found\r\nLocation: a\x1b[2Jb\r\n\r\n",
               "to \"a\\x1b[2Jb\""},
        Answer{"Unauthorized", "HTTP/1.1 401 Unauthorized\r\nLocation: not here\r\n\r\n",
               "the server refused the WebSocket: HTTP 401 Unauthorized"},
        Answer{"Forbidden", "HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nhello",
               "the server refused the WebSocket: HTTP 403 Forbidden"},
        Answer{"ForbiddenWithoutEnd", "HTTP/1.1 403 Forbidden\r\nConte",
               "the server refused the WebSocket: HTTP 403 Forbidden"},
        Answer{"ForbiddenWithBadField", "HTTP/1.1 403 Forbidden\r\nno field\r\n\r\n",
               "the server refused the WebSocket: HTTP 403 Forbidden"},
        Answer{"NotFound", "HTTP/1.1 404\r\n\r\n", "the server refused the WebSocket: HTTP 404"},
        Answer{"ProxyAuthentication", "HTTP/1.0 407 Proxy Authentication Required\r\n\r\n",
               "HTTP 407 Proxy Authentication Required"},
        Answer{"Unavailable", "HTTP/1.1 503 Service\x07 Unavailable\xff\r\n\r\n",
               "HTTP 503 Service\\x07 Unavailable\\xff"},
        Answer{"Ok", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP 200 OK"},
        Answer{"AfterInterimOne", "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 502 Bad\r\n\r\n",
               "HTTP 502 Bad"},
        Answer{"Cut", answer().substr(0, 60), "before it had answered the WebSocket upgrade"},
        Answer{"InterimAlone", "HTTP/1.1 100 Continue\r\n\r\n",
               "it does not speak WebSocket"},  // frames come behind
        Answer{"Mqtt", "\x20\x02\x00\x00"s, "it speaks MQTT, not WebSocket: it answered with"},
        Answer{"Ssh", "SSH-2.0-OpenSSH_9.2\r\n",
               "it speaks SSH, not WebSocket: it answered with \"SSH-2.0-OpenSSH_9.2\\x0d"},
        Answer{"Tls", "\x15\x03\x01\x00\x02\x02\x28"s, "it speaks TLS, not WebSocket"},
        Answer{"Http2", "HTTP/2 101 x\r\n\r\n", "it speaks HTTP, not WebSocket"},
        Answer{"SmallHttp", "http/1.1 101 x\r\n\r\n", kNotHttp},
        Answer{"EmptyLine", "\r\nHTTP/1.1 101 x\r\n\r\n", kNotHttp},
        Answer{"NoVersion", "HTTP/1.x 101 x\r\n\r\n", "it answered with"},
        Answer{"NoStatus", "HTTP/1.1\r\n\r\n", "it answered with"},
        Answer{"ShortStatus", "HTTP/1.1 10\r\n\r\n", "it answered with"},
        Answer{"LongStatus", "HTTP/1.1 1010 x\r\n\r\n", "it answered with"},
        Answer{"SmallStatus", "HTTP/1.1 099 x\r\n\r\n", "with \"HTTP/1.1 099 x"},
        Answer{"StatusOfLetters", "HTTP/1.1 1o1 x\r\n\r\n", "it answered with"},
        Answer{"Rubbish", "\x1b[2J\xff\x00\x01"s, "it answered with \"\\x1b[2J\\xff\\x00\\x01"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(WebSocket, AnAnswerIsOfUpTo64KiB) {
  const std::size_t rest = HttpHead::kMost - answer().size() - 4;
  const std::string longest = with("X:" + std::string(rest, 'x'));
  ASSERT_EQ(longest.size(), HttpHead::kMost);
  for (const std::size_t piece : {longest.size(), std::size_t{1}, std::size_t{1460}}) {
    EXPECT_TRUE(receive_in_pieces(longest, {piece}).open);
    const Outcome longer = receive_in_pieces(with("X:" + std::string(rest + 1, 'x')), {piece});
    EXPECT_EQ(longer.fault, "the server's answer to the WebSocket upgrade is longer than 64 KiB");
    // With the interim ones before it, or nobody would see an end.
    EXPECT_FALSE(receive_in_pieces("HTTP/1.1 100 x\r\n\r\n" + longest, {piece}).open);
    EXPECT_NE(receive_in_pieces("HTTP/1.1 " + std::string(70000, ' '), {piece}).fault, "");
    EXPECT_NE(receive_in_pieces("HTTX" + std::string(70000, ' '), {piece}).fault.find("\"HTTX"),
              std::string::npos);
    EXPECT_EQ(receive_in_pieces("HTTP/1.1 500 x\r\n" + std::string(70000, 'x'), {piece}).fault,
              "the server refused the WebSocket: HTTP 500 x");
  }
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "Set-Cookie: a=" + std::to_string(i) + "\r\n";
  EXPECT_TRUE(receive_in_pieces(answer(99, "", many), {100}).open);
}

TEST(WebSocket, WhatCameInSeveralReadsIsToldFromItsBeginning) {
  WebSocket socket({"h", "/"}, KnownRandom());
  for (std::string piece : {"HT"s, "TR whatever\r\n" + std::string(100, 'x')}) {
    EXPECT_EQ(socket.receive(piece.data(), piece.size()), 0U);
  }
  EXPECT_EQ(socket.fault().substr(0, 72),
            "it does not speak WebSocket: it answered with \"HTTR whatever\\x0d\\x0axxxx");
  EXPECT_LT(socket.fault().size(), 140U);
}

TEST(WebSocket, AnEndBeforeTheAnswerIsAFault) {
  WebSocket socket({"h", "/"}, KnownRandom());
  socket.end();
  EXPECT_NE(socket.fault().find("before it had answered"), std::string::npos);
  EXPECT_EQ(receive_in_pieces(answer(), {100}).fault, "") << "and one after it is none";
}

// ---- What the server sends ----

struct Stream {
  const char* name;
  std::string bytes;
  std::string mqtt;
  std::vector<ClientFrame> output = {};
  friend void PrintTo(const Stream& stream, std::ostream* out) { *out << stream.name; }
};

class WebSocketStream : public testing::TestWithParam<Stream> {};

TEST_P(WebSocketStream, InEveryCut) {
  const Outcome outcome = frames_in_every_cut(GetParam().bytes);
  EXPECT_EQ(outcome.fault, "");
  EXPECT_EQ(outcome.mqtt, GetParam().mqtt);
  EXPECT_EQ(answers(outcome), GetParam().output);
}

INSTANTIATE_TEST_SUITE_P(
    , WebSocketStream,
    testing::Values(
        Stream{"Nothing", "", ""}, Stream{"Frame", frame(kBinary, "a"), "a"},
        Stream{"Empty", frame(kBinary, "") + frame(kBinary, "a") + frame(kBinary, ""), "a"},
        Stream{"Several", frame(kBinary, "ab") + frame(kBinary, "c"), "abc"},
        Stream{"Lengths",
               frame(kBinary, bytes_of(125)) + frame(kBinary, bytes_of(126)) +
                   frame(kBinary, bytes_of(300)),
               bytes_of(125) + bytes_of(126) + bytes_of(300)},
        Stream{"Fragments",
               frame(kBegins, "a") + frame(kGoesOn, "bc") + frame(kGoesOnEnd, "d") +
                   frame(kBinary, "e"),
               "abcde"},
        Stream{
            "EmptyFragments",
            frame(kBegins, "") + frame(kGoesOn, "") + frame(kGoesOn, "a") + frame(kGoesOnEnd, ""),
            "a"},
        Stream{"PingsBetweenFragments",
               frame(kBegins, "a") + frame(kPing, "1") + frame(kGoesOn, "b") + frame(kPing, "2") +
                   frame(kGoesOnEnd, "c"),
               "abc",
               {{kPong, "2"}}},
        Stream{"EmptyPing", frame(kPing, ""), "", {{kPong, ""}}},
        Stream{"LongestPing", frame(kPing, bytes_of(125)), "", {{kPong, bytes_of(125)}}},
        Stream{"Pongs", frame(kPong, "") + frame(kPong, "x") + frame(kBinary, "a"), "a"},
        Stream{"Close",
               frame(kBinary, "a") + close_frame(1000) + frame(kBinary, "b"),
               "a",
               {{kClose, number(1000, 2)}}},
        Stream{"CloseWithoutCode", frame(kClose, ""), "", {{kClose, ""}}},
        Stream{
            "CloseWithReason", close_frame(1011, "out of memory"), "", {{kClose, number(1011, 2)}}},
        Stream{"CloseOfAnApplication", close_frame(4999), "", {{kClose, number(4999, 2)}}},
        Stream{"CloseWithACodeThatIsNone", close_frame(1005), "", {{kClose, number(1002, 2)}}},
        Stream{"CloseWithCodeZero", close_frame(0), "", {{kClose, number(1002, 2)}}},
        Stream{"PingBeforeClose",
               frame(kPing, "p") + close_frame(1001) + frame(kPing, "q"),
               "",
               {{kPong, "p"}, {kClose, number(1001, 2)}}},
        Stream{"CloseWithinAMessage",
               frame(kBegins, "a") + close_frame(1001),
               "a",
               {{kClose, number(1001, 2)}}}),
    [](const auto& info) { return std::string(info.param.name); });

struct Wrong {
  const char* name;
  std::string bytes;
  const char* fault;  // a part of it
  std::uint16_t code = 1002;
  friend void PrintTo(const Wrong& wrong, std::ostream* out) { *out << wrong.name; }
};

class WrongFrame : public testing::TestWithParam<Wrong> {};

TEST_P(WrongFrame, EndsItInEveryCut) {
  const Outcome outcome =
      frames_in_every_cut(frame(kBinary, "before") + GetParam().bytes + frame(kBinary, "behind"));
  EXPECT_TRUE(outcome.fault.starts_with("protocol error by the server: a "));
  EXPECT_NE(outcome.fault.find(GetParam().fault), std::string::npos) << outcome.fault;
  EXPECT_EQ(outcome.mqtt.substr(0, 6), "before");
  EXPECT_EQ(outcome.mqtt.find("behind"), std::string::npos);
  EXPECT_EQ(answers(outcome), (std::vector<ClientFrame>{{kClose, number(GetParam().code, 2)}}));
  EXPECT_EQ(outcome.close_reason, "");
}

INSTANTIATE_TEST_SUITE_P(
    , WrongFrame,
    testing::Values(
        Wrong{"Masked", "\x82\x81"s + "abcdx", "masked"},
        Wrong{"MaskedAndEmpty", "\x82\x80"s + "abcd", "masked"},
        Wrong{"MaskedPing", "\x89\x80"s + "abcd", "masked"},
        Wrong{"Reserved1", frame(0xc2, "x"), "reserved bits (0x40)"},
        Wrong{"Reserved2", frame(0xa2, "x"), "reserved bits (0x20)"},
        Wrong{"Reserved3", frame(0x92, "x"), "reserved bits (0x10)"},
        Wrong{"ReservedInPing", frame(0xc9, "x"), "reserved bits (0x40)"},
        Wrong{"Unknown3", frame(0x83, "x"), "unknown opcode 0x3"},
        Wrong{"Unknown7", frame(0x87, "x"), "unknown opcode 0x7"},
        Wrong{"UnknownControlB", frame(0x8b, ""), "unknown opcode 0xb"},
        Wrong{"UnknownControlF", frame(0x8f, ""), "unknown opcode 0xf"},
        Wrong{"Text", frame(0x81, "x"), "text frame", 1003},
        Wrong{"TextFragment", frame(0x01, "x"), "text frame", 1003},
        Wrong{"TextWithinAMessage", frame(kBegins, "a") + frame(0x81, "x"), "text frame", 1003},
        Wrong{"PingFragment", frame(0x09, "x"), "a fragmented WebSocket ping"},
        Wrong{"PongFragment", frame(0x0a, "x"), "a fragmented WebSocket pong"},
        Wrong{"CloseFragment", frame(0x08, ""), "a fragmented WebSocket close"},
        Wrong{"LongPing", frame(kPing, bytes_of(126)), "ping of more than 125 bytes"},
        Wrong{"LongPong", frame(kPong, bytes_of(126)), "pong of more than 125 bytes"},
        Wrong{"LongClose", close_frame(1000, bytes_of(124)), "close of more than 125 bytes"},
        Wrong{"EndlessPing", "\x89\x7f"s + number(1, 8), "ping of more than 125 bytes"},
        Wrong{"HighBit", "\x82\x7f"s + number(std::uint64_t{1} << 63U, 8), "more than 2^63 bytes"},
        Wrong{"AllBits", "\x82\x7f"s + number(UINT64_MAX, 8), "more than 2^63 bytes"},
        Wrong{"LengthOf125In2", "\x82\x7e"s + number(125, 2) + bytes_of(125),
              "whose length, 125, is encoded in 2 bytes"},
        Wrong{"LengthOf0In2", "\x82\x7e"s + number(0, 2), "length, 0, is encoded in 2 bytes"},
        Wrong{"LengthOf65535In8", "\x82\x7f"s + number(65535, 8),
              "length, 65535, is encoded in 8 bytes"},
        Wrong{"LengthOf0In8", "\x82\x7f"s + number(0, 8), "length, 0, is encoded in 8 bytes"},
        Wrong{"ContinuationOfNothing", frame(kGoesOnEnd, "x"), "continues a message which has not"},
        Wrong{"ContinuationAfterTheEnd",
              frame(kBegins, "a") + frame(kGoesOnEnd, "b") + frame(kGoesOn, "x"),
              "continues a message which has not"},
        Wrong{"MessageWithinAMessage", frame(kBegins, "a") + frame(kBinary, "x"),
              "begins before the last one has ended"},
        Wrong{"FragmentsWithinAMessage", frame(kBegins, "a") + frame(kBegins, "x"),
              "begins before the last one has ended"},
        Wrong{"CloseWithHalfACode", frame(kClose, "\x03"), "close with a truncated code"}),
    [](const auto& info) { return std::string(info.param.name); });

class OpenWebSocket : public testing::Test {
 protected:
  OpenWebSocket() { EXPECT_EQ(receive(std::string(kAccepted)), ""); }
  std::string receive(std::string bytes) {
    bytes.resize(socket_.receive(bytes.data(), bytes.size()));
    return bytes;
  }
  std::vector<ClientFrame> output() {
    return client_frames(socket_.take_output()).value_or(std::vector<ClientFrame>());
  }
  WebSocket socket_{{"h", "/mqtt"}, KnownRandom()};
};

TEST_F(OpenWebSocket, MessagesOfAnyLengthStreamThrough) {
  const std::string head = "\x82\x7f"s + number((std::uint64_t{1} << 63U) - 1, 8);
  EXPECT_EQ(receive(head), "");
  const std::string block = bytes_of(100'000);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(receive(block), block);
  EXPECT_EQ(socket_.fault(), "");
}

TEST_F(OpenWebSocket, LengthsAreReadAtTheirBorders) {
  for (const std::size_t size : {125, 126, 127, 255, 256, 65535, 65536, 65537, 1'000'000}) {
    const std::string payload = bytes_of(size);
    EXPECT_EQ(receive(frame(kBinary, payload) + frame(kBinary, "x")), payload + "x") << size;
  }
  EXPECT_EQ(socket_.fault(), "");
}

TEST_F(OpenWebSocket, AFloodOfPingsIsAnsweredOnce) {
  std::string flood;
  for (int i = 0; i < 100'000; ++i) flood += frame(kPing, std::to_string(i));
  EXPECT_EQ(receive(flood), "");
  EXPECT_EQ(output(), (std::vector<ClientFrame>{{kPong, "99999"}}));
  EXPECT_EQ(output(), std::vector<ClientFrame>());
  receive(frame(kPing, "again"));
  EXPECT_EQ(output(), (std::vector<ClientFrame>{{kPong, "again"}}));
}

TEST_F(OpenWebSocket, TheServersCloseIsAnsweredOnceAndNothingFollows) {
  EXPECT_FALSE(socket_.closed());
  EXPECT_EQ(socket_.close_reason(), "");
  EXPECT_EQ(receive(frame(kBinary, "a") + close_frame(1011, "out of memory\x1b") + "\xff\xff"),
            "a");
  EXPECT_TRUE(socket_.closed());
  EXPECT_EQ(socket_.close_code(), 1011);
  EXPECT_EQ(socket_.close_reason(),
            "closed the WebSocket: 1011 internal error (\"out of memory\\x1b\")");
  EXPECT_EQ(socket_.fault(), "");
  EXPECT_EQ(output(), (std::vector<ClientFrame>{{kClose, number(1011, 2)}}));
  EXPECT_EQ(receive(close_frame(1000) + frame(kBinary, "b")), "");
  std::string out;
  socket_.wrap("late", out);
  socket_.close(1000, out);
  EXPECT_EQ(out + socket_.take_output(), "");
}

TEST_F(OpenWebSocket, ItsReasonIsInWords) {
  for (const auto& [bytes, text] : std::vector<std::pair<std::string, std::string>>{
           {"", "closed the WebSocket without saying why"},
           {number(0, 2), "closed the WebSocket without saying why"},
           {number(1000, 2), "closed the WebSocket: 1000 normal closure"},
           {number(1008, 2) + "no", "closed the WebSocket: 1008 policy violation (\"no\")"},
           {number(4001, 2), "closed the WebSocket: 4001"}}) {
    WebSocket socket({"h", "/"}, KnownRandom());
    std::string all = std::string(kAccepted) + frame(kClose, bytes);
    socket.receive(all.data(), all.size());
    EXPECT_EQ(socket.close_reason(), text);
    EXPECT_TRUE(socket.closed());
  }
}

// RFC 6455, section 7.4.1, and the registry that it made.
TEST_F(OpenWebSocket, EveryCloseCodeThatAServerMaySendHasWordsOfItsOwn) {
  std::set<std::string> all;
  const std::vector<std::uint16_t> codes{1000, 1001, 1002, 1003, 1007, 1008,
                                         1009, 1010, 1011, 1012, 1013, 1014};
  for (const std::uint16_t code : codes) {
    WebSocket socket({"h", "/"}, KnownRandom());
    std::string bytes = std::string(kAccepted) + close_frame(code);
    socket.receive(bytes.data(), bytes.size());
    const std::string begin = "closed the WebSocket: " + std::to_string(code) + " ";
    ASSERT_TRUE(socket.close_reason().starts_with(begin)) << socket.close_reason();
    all.insert(std::string(socket.close_reason().substr(begin.size())));
  }
  EXPECT_EQ(all.size(), codes.size());
}

TEST_F(OpenWebSocket, OurOwnCloseIsSaidOnce) {
  std::string out;
  socket_.close(1000, out);
  EXPECT_EQ(client_frames(out), (std::vector<ClientFrame>{{kClose, number(1000, 2)}}));
  socket_.close(1000, out);
  EXPECT_EQ(client_frames(out)->size(), 1U);
  // What was on its way comes in, and the answer needs none.
  EXPECT_EQ(receive(frame(kPing, "p") + frame(kBinary, "a") + close_frame(1000)), "a");
  EXPECT_TRUE(socket_.closed());
  EXPECT_EQ(output(), std::vector<ClientFrame>());
}

TEST_F(OpenWebSocket, NothingIsReceivedAfterAFault) {
  EXPECT_EQ(receive(frame(kBinary, "a") + frame(0x81, "text") + frame(kBinary, "b")), "a");
  EXPECT_EQ(receive(frame(kBinary, "c") + frame(kPing, "")), "");
  EXPECT_EQ(output(), (std::vector<ClientFrame>{{kClose, number(1003, 2)}}));
  EXPECT_FALSE(socket_.closed());
}

// ---- What is sent ----

TEST_F(OpenWebSocket, WhatIsSentIsOneFrameOfAnySize) {
  for (const std::size_t size :
       {0, 1, 2, 7, 8, 9, 125, 126, 127, 16383, 16384, 16385, 65535, 65536, 1'000'000}) {
    const std::string payload = bytes_of(size);
    std::string out = "before";
    socket_.wrap(payload, out);
    EXPECT_EQ(out.substr(0, 6), "before");
    EXPECT_EQ(client_frames(out.substr(6)), (std::vector<ClientFrame>{{kBinary, payload}})) << size;
  }
}

TEST_F(OpenWebSocket, SeveralPiecesAreOneFrame) {
  for (std::size_t first = 0; first < 20; ++first) {
    for (const std::size_t second : {0U, 1U, 3U, 17U, 40000U}) {
      const std::string a = bytes_of(first);
      const std::string b = bytes_of(second);
      const std::string c = "the end";
      const iovec pieces[] = {{const_cast<char*>(a.data()), a.size()},
                              {const_cast<char*>(b.data()), b.size()},
                              {const_cast<char*>(c.data()), c.size()}};
      std::string out;
      socket_.wrap(pieces, out);
      EXPECT_EQ(client_frames(out), (std::vector<ClientFrame>{{kBinary, a + b + c}}));
    }
  }
}

TEST_F(OpenWebSocket, EachFrameHasAMaskOfItsOwnThatIsDrawnInStocks) {
  int calls = 0;
  WebSocket socket({"h", "/"},
                   [&calls, random = KnownRandom()](unsigned char* to, std::size_t size) mutable {
                     ++calls;
                     random(to, size);
                   });
  std::set<std::string> masks;
  for (int i = 0; i < 256; ++i) {
    std::string out;
    socket.wrap("\0\0\0\0"s, out);
    masks.insert(out.substr(2, 4));
    EXPECT_EQ(out.substr(2, 4), out.substr(6)) << "zeros show the mask";
  }
  EXPECT_EQ(masks.size(), 256U);
  EXPECT_LE(calls, 10);
}

TEST_F(OpenWebSocket, MasksAreNotTheSameInTwoConnections) {
  std::set<std::string> masks;
  for (int i = 0; i < 20; ++i) {
    std::string out;
    WebSocket({"h", "/"}).wrap("x", out);
    masks.insert(out.substr(2, 4));
  }
  EXPECT_GE(masks.size(), 19U);  // two that are equal by chance
}

TEST(WebSocket, ItsTwoSidesMayBeAtWorkAtOnce) {
  WebSocket socket({"h", "/"});
  std::string received;
  std::thread receiver([&] {
    for (int i = 0; i < 1000; ++i) {
      std::string bytes = "HTTP/1.1 500 x";
      received.append(bytes, 0, socket.receive(bytes.data(), bytes.size()));
      received += socket.take_output();
    }
  });
  std::string sent;
  for (int i = 0; i < 1000; ++i) socket.wrap("x", sent);
  socket.close(1000, sent);
  receiver.join();
  EXPECT_EQ(received, "");
  EXPECT_EQ(client_frames(sent)->size(), 1001U);
}

TEST(WebSocket, TheCorpusOfTheFuzzerBreaksNothing) {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(WEBSOCKET_CORPUS)) {
    const auto bytes = read_file(entry.path(), 1 << 20);
    ASSERT_TRUE(bytes);
    test::receive_any_bytes(*bytes);
    ++files;
  }
  EXPECT_GE(files, 20U);
}

}  // namespace
}  // namespace triggerd::mqtt::wire
