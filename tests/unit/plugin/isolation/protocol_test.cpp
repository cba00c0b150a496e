// What host and worker say, there and back; and what becomes of bytes that make no sense.
#include "plugin/isolation/protocol.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <thread>

#include "plugin/isolation/frames.hpp"
#include "support/fake_clock.hpp"

namespace triggerd::plugin::isolation {
namespace {

trigger_str str(std::string_view text) {
  return {text.data(), text.size()};
}
trigger_bytes bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
std::string text(trigger_str value) {
  return {value.ptr, value.len};
}
std::string text(trigger_bytes value) {
  return {reinterpret_cast<const char*>(value.ptr), value.len};
}

trigger_property user_property(std::string_view name, std::string_view value) {
  trigger_property property{};
  property.id = 0x26;
  property.number = 7;
  property.name = str(name);
  property.value = bytes(value);
  return property;
}

std::string encoded_message() {
  static const trigger_property property = user_property("key", "value");
  trigger_message message{};
  message.struct_size = sizeof message;
  message.token = 0x1122'3344'5566'7788;
  message.flags = TRIGGER_MESSAGE_DUP;
  message.qos = 2;
  message.attempt = 3;
  message.received_unix_ns = -5;
  message.id = str("id-1");
  message.topic = str("a/b");
  message.payload = bytes(std::string_view("p\0q", 3));
  message.properties = &property;
  message.property_count = 1;
  std::string record;
  encode(message, true, record);
  return record;
}

std::string encoded_publish() {
  static const trigger_property property = user_property("k", "");
  trigger_publish request{};
  request.struct_size = sizeof request;
  request.qos = 1;
  request.topic = str("out");
  request.payload = bytes("payload");
  request.properties = &property;
  request.property_count = 1;
  return encode(5, 99, request);
}

TEST(IsolationProtocol, AMessageComesThereWhole) {
  std::string record = encoded_message();
  OwnedMessage owned;
  ASSERT_TRUE(decode_message(record, owned));
  const trigger_message& message = owned;
  EXPECT_EQ(message.token, 0x1122'3344'5566'7788U);
  EXPECT_EQ(message.flags, TRIGGER_MESSAGE_DUP);
  EXPECT_EQ(message.qos, 2U);
  EXPECT_EQ(message.attempt, 3U);
  EXPECT_EQ(message.received_unix_ns, -5);
  EXPECT_EQ(text(message.id), "id-1");
  EXPECT_EQ(text(message.topic), "a/b");
  EXPECT_EQ(message.topic.ptr[message.topic.len], '\0');
  EXPECT_EQ(text(message.payload), std::string("p\0q", 3));
  ASSERT_EQ(message.property_count, 1U);
  EXPECT_EQ(text(message.properties[0].name), "key");
  EXPECT_EQ(text(message.properties[0].value), "value");
  EXPECT_TRUE(owned.follows);
}

TEST(IsolationProtocol, APublishComesThereWhole) {
  const std::string record = encoded_publish();
  Publish call;
  ASSERT_TRUE(decode_publish(record, call));
  EXPECT_EQ(call.place, 5U);
  EXPECT_EQ(call.id, 99U);
  EXPECT_EQ(text(call.request.topic), "out");
  EXPECT_EQ(text(call.request.alias), "");
  EXPECT_EQ(text(call.request.payload), "payload");
  EXPECT_EQ(call.request.property_count, 1U);
}

TEST(IsolationProtocol, OrdersAndAnswersComeThereWhole) {
  isolation::Setup setup{
      .plugin = "p", .file = "/f.so", .memory = 1 << 30, .log_level = 2, .trigger = {}};
  setup.trigger.name = "t";
  setup.trigger.timeout = Millis(1'234);
  setup.trigger.settings.json = "{\"a\":1}";
  setup.trigger.settings.flat.push_back({"a", "1", config::Setting::Type::integer});
  const auto got = decode_setup(encode(setup));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->file, "/f.so");
  EXPECT_EQ(got->trigger.timeout, Millis(1'234));
  ASSERT_EQ(got->trigger.settings.flat.size(), 1U);
  EXPECT_EQ(got->trigger.settings.flat[0].type, config::Setting::Type::integer);

  std::string record;
  encode(Verdict{.token = 9, .answer = {TRIGGER_RETRY, 50, "later"}, .busy_ns = 77}, record);
  const auto verdict = decode_verdict(record);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->token, 9U);
  EXPECT_EQ(verdict->answer.reason, "later");
  EXPECT_EQ(verdict->busy_ns, 77U);

  Loaded loaded{{.version = "1.2", .services = {{"one", 1, true, 256}, {"two", 0, false, 1}}}, 1};
  const auto described = decode_loaded(encode(loaded));
  ASSERT_TRUE(described);
  EXPECT_EQ(described->services[described->chosen].name, "two");
  EXPECT_EQ(described->services[0].max_batch, 256U);

  const auto state = decode_state(encode(SavedState{.version = 3, .bytes = std::string("\0s", 2)}));
  ASSERT_TRUE(state);
  EXPECT_EQ(state->bytes, std::string("\0s", 2));
}

TEST(IsolationProtocol, WhatMakesNoSenseIsNotTaken) {
  Loaded loaded{{.version = "1", .services = {{"one", 0, false, 1}}}, 4};
  EXPECT_FALSE(decode_loaded(encode(loaded))) << "a service that is not there is chosen";
  const auto metrics =
      decode_metrics(encode(std::vector<Metric>{{"fine", "", TRIGGER_METRIC_COUNTER, 1},
                                                {"Not fine", "", TRIGGER_METRIC_COUNTER, 1},
                                                {"kindless", "", 99, 1},
                                                {"endless", "", TRIGGER_METRIC_GAUGE, 1.0 / 0.0}}));
  ASSERT_TRUE(metrics);
  ASSERT_EQ(metrics->size(), 1U);
  EXPECT_EQ(metrics->front().name, "fine");
  std::string record;
  encode(Verdict{.token = 1, .answer = {TRIGGER_RETRY, 0, std::string(5'000, 'r')}, .busy_ns = 0},
         record);
  EXPECT_LT(decode_verdict(record)->answer.reason.size(), sizeof(trigger_result::reason));
}

// Every decoder on what is cut, longer, or changed in any byte: it may say no, and may not fall.
TEST(IsolationProtocol, DecodersSurviveAnyBytes) {
  std::string verdict;
  encode(Verdict{.token = 1, .answer = {TRIGGER_OK, 0, "r"}, .busy_ns = 1}, verdict);
  isolation::Setup setup;
  setup.trigger.settings.flat.push_back({"k", "v", config::Setting::Type::string});
  const Loaded loaded{{.version = "1", .services = {{"one", 0, false, 1}}}, 0};
  const std::vector<std::pair<std::string, std::function<bool(std::string)>>> all{
      {encoded_message(),
       [](std::string b) {
         OwnedMessage owned;
         return decode_message(b, owned);
       }},
      {encoded_publish(),
       [](const std::string& b) {
         Publish call;
         return decode_publish(b, call);
       }},
      {verdict, [](const std::string& b) { return decode_verdict(b).has_value(); }},
      {encode(setup), [](const std::string& b) { return decode_setup(b).has_value(); }},
      {encode(loaded), [](const std::string& b) { return decode_loaded(b).has_value(); }},
      {encode(Reply{true, false, "x"}),
       [](const std::string& b) { return decode_reply(b).has_value(); }},
      {encode(Complete{1, 2, {}}),
       [](const std::string& b) { return decode_complete(b).has_value(); }},
      {encode(Extend{1, 2, 3}), [](const std::string& b) { return decode_extend(b).has_value(); }},
      {encode(Published{1, 2, "x"}),
       [](const std::string& b) { return decode_published(b).has_value(); }},
      {encode(LogLine{1, "plugin.log", "x"}),
       [](const std::string& b) { return decode_log_line(b).has_value(); }},
      {encode(std::vector<Metric>{{"m", "h", 0, 1}}),
       [](const std::string& b) { return decode_metrics(b).has_value(); }}};
  std::mt19937 engine(7);
  for (const auto& [good, decodes] : all) {
    EXPECT_TRUE(decodes(good));
    EXPECT_FALSE(decodes(good + "x"));
    for (std::size_t size = 0; size < good.size(); ++size) {
      EXPECT_FALSE(decodes(good.substr(0, size)));
    }
    for (std::size_t i = 0; i < good.size(); ++i) {
      for (const char value : {'\0', '\x7f', '\xff', static_cast<char>(engine())}) {
        std::string changed = good;
        changed[i] = value;
        static_cast<void>(decodes(changed));
      }
    }
  }
}

class IsolationFrames : public testing::Test {
 protected:
  IsolationFrames() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    host_ = std::make_unique<HostSocket>(
        UniqueFd(ends[0]),
        [](std::uint32_t type) { return type == kLong ? std::size_t{8} << 20 : std::size_t{64}; },
        clock_);
    their_fd_ = UniqueFd(ends[1]);
    worker_ = std::make_unique<WorkerSocket>(their_fd_.get());
  }
  void send_raw(std::string_view raw) const {
    ASSERT_EQ(::write(their_fd_.get(), raw.data(), raw.size()), static_cast<ssize_t>(raw.size()));
  }

  static constexpr std::uint32_t kLong = 9;

  test::FakeClock clock_;
  std::unique_ptr<HostSocket> host_;
  UniqueFd their_fd_;
  std::unique_ptr<WorkerSocket> worker_;
};

TEST_F(IsolationFrames, GoBothWays) {
  host_->send(3, "to the worker");
  const auto there = worker_->receive();
  ASSERT_TRUE(there);
  EXPECT_EQ(there->type, 3U);
  EXPECT_EQ(there->bytes, "to the worker");
  worker_->send(4, "to the host");
  worker_->send(5, "");
  EXPECT_EQ(host_->receive(), HostSocket::State::open);
  EXPECT_EQ(host_->next()->bytes, "to the host");
  EXPECT_EQ(host_->next()->type, 5U);
  EXPECT_FALSE(host_->next());
}

TEST_F(IsolationFrames, AFrameInPiecesIsWhole) {
  const std::string raw("\x09\0\0\0\x03\0\0\0abc", 11);
  for (const char c : raw) {
    EXPECT_FALSE(host_->next());
    send_raw({&c, 1});
    EXPECT_EQ(host_->receive(), HostSocket::State::open);
  }
  EXPECT_EQ(host_->next()->bytes, "abc");
}

TEST_F(IsolationFrames, AnAbsurdLengthAndAnEndAreSeen) {
  send_raw(std::string_view("\x01\0\0\0\xff\xff\xff\xff", 8));
  EXPECT_EQ(host_->receive(), HostSocket::State::protocol_error);
  EXPECT_FALSE(host_->next());
  their_fd_.reset();
  EXPECT_EQ(host_->receive(), HostSocket::State::closed);
}

TEST_F(IsolationFrames, AFrameIsRefusedByItsHeadWhereItsTypeIsNeverSoLong) {
  send_raw(std::string_view("\x04\0\0\0\x41\0\0\0", 8));
  EXPECT_EQ(host_->receive(), HostSocket::State::protocol_error);
}

TEST_F(IsolationFrames, ALongFrameIsWholeAndOneThatDoesNotEndIsSeen) {
  const std::string large(3 << 20, 'x');
  std::jthread sending([&] { worker_->send(kLong, large); });
  std::optional<Frame> frame;
  while (!(frame = host_->next())) ASSERT_EQ(host_->receive(), HostSocket::State::open);
  EXPECT_EQ(frame->bytes, large);
  EXPECT_FALSE(host_->unfinished_since());
  send_raw(std::string_view("\x09\0\0\0\x03\0\0\0a", 9));
  EXPECT_EQ(host_->receive(), HostSocket::State::open);
  EXPECT_EQ(host_->unfinished_since(), clock_.now());
  clock_.advance(Millis(500));
  EXPECT_EQ(host_->receive(), HostSocket::State::open);
  EXPECT_EQ(host_->unfinished_since(), clock_.now() - Millis(500));
}

TEST_F(IsolationFrames, OnlyTheFirstDescriptorIsKept) {
  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  worker_->send_with(writing.get(), 4, "first");
  worker_->send_with(writing.get(), 4, "second");
  writing.reset();
  EXPECT_EQ(host_->receive(), HostSocket::State::open);
  EXPECT_EQ(host_->next()->bytes, "first");
  EXPECT_EQ(host_->next()->bytes, "second");
  UniqueFd kept = host_->take_descriptor();
  ASSERT_TRUE(kept);
  kept.reset();
  char byte = 0;
  EXPECT_EQ(::read(reading.get(), &byte, 1), 0) << "nobody has the other end any more";
}

TEST_F(IsolationFrames, AWorkerThatDoesNotReadHoldsNobodyUp) {
  const std::string large(1 << 20, 'x');
  for (int i = 0; i < 8; ++i) host_->send(1, large);
  EXPECT_TRUE(host_->has_unsent());
  for (int i = 0; i < 8; ++i) {
    std::jthread flushing([this](const std::stop_token& stop) {
      while (!stop.stop_requested() && host_->has_unsent()) {
        host_->flush();
        std::this_thread::yield();
      }
    });
    EXPECT_EQ(worker_->receive()->bytes.size(), large.size());
  }
  EXPECT_FALSE(host_->has_unsent());
}

}  // namespace
}  // namespace triggerd::plugin::isolation
