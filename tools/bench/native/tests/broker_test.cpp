// The fake server as a program: its figures, and what it says where there are none.
#include <sys/socket.h>

#include "run.hpp"
#include "support/port.hpp"
#include "support/temp_dir.hpp"
#include "tls_files.hpp"

namespace bench {
namespace {

using Words = std::vector<std::string>;

class Discarded : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Broker, Discarded, testing::Values(0, 1, 2));

TEST_P(Discarded, RunsToAPlausibleEnd) {
  const int qos = GetParam();
  Broker broker(
      {"--qos", std::to_string(qos), "--window", "50", "--warmup", "0.05", "--seconds", "0.2"});
  Process discard({program("discard"), "--url", broker.url(), "--qos", std::to_string(qos)});
  ASSERT_EQ(broker.wait(), 0) << broker.process().output();
  expect_plausible(broker.result(), qos, 50);
  const auto end = end_of(discard);
  EXPECT_GE(end.value("received", 0.0), broker.result().value("messages", 0.0));
}

TEST_P(Discarded, OverTlsToo) {
  const triggerd::test::TempDir dir;
  const TlsFiles files(dir.path());
  const int qos = GetParam();
  Broker broker({"--qos", std::to_string(qos), "--window", "50", "--payload", "20000", "--warmup",
                 "0.05", "--seconds", "0.2", "--tls-certificate", files.certificate, "--tls-key",
                 files.key});
  Process discard({program("discard"), "--url", broker.url("ssl"), "--ca", files.certificate,
                   "--qos", std::to_string(qos)});
  ASSERT_EQ(broker.wait(), 0) << broker.process().output();
  expect_plausible(broker.result(), qos, 50);
  EXPECT_GE(end_of(discard).value("received", 0.0), broker.result().value("messages", 0.0));
}

TEST(Broker, WaitsForAllConnections) {
  Broker broker({"--qos", "1", "--connections", "2", "--warmup", "0.01", "--seconds", "0.1"});
  const Words client{program("discard"), "--url", broker.url(), "--qos", "1"};
  Process first(client);
  EXPECT_FALSE(broker.process().wait_for_line("messages", 0, triggerd::Millis(300)));
  Process second(client);
  ASSERT_EQ(broker.wait(), 0) << broker.process().output();
  expect_plausible(broker.result(), 1, 20);
  EXPECT_GT(end_of(first).value("received", 0), 0);
  EXPECT_GT(end_of(second).value("received", 0), 0);
}

TEST(Broker, ABacklogIsSentBeforeAllElse) {
  Broker broker({"--qos", "1", "--backlog-first", "5000", "--filters", "12", "--warmup", "0",
                 "--seconds", "0"});
  Process discard({program("discard"), "--url", broker.url(), "--qos", "1"});
  ASSERT_EQ(broker.wait(), 0) << broker.process().output();
  EXPECT_GT(broker.result().value("backlog_seconds", 0.0), 0);
  EXPECT_GE(end_of(discard).value("received", 0), 5000);
}

TEST(Broker, SaysWhenNobodySubscribes) {
  Broker broker({"--patience", "0.05"});
  EXPECT_EQ(broker.wait(), 1);
  EXPECT_TRUE(broker.process().wait_for_line(
      "bench-broker: 0 of 1 connections subscribed within 0.05 s; is the contender running"));
}

TEST(Broker, SaysWhenASubscriberGoes) {
  Broker broker({"--qos", "1", "--seconds", "60"});
  {
    const auto fd = triggerd::test::connect_loopback(broker.port());
    const std::string hello(
        "\x10\x0d\0\4MQTT\4\2\0\0\0\1c"
        "\x82\6\0\1\0\1#\1",
        23);
    ASSERT_EQ(::send(fd.get(), hello.data(), hello.size(), MSG_NOSIGNAL), 23);
    char answers[10];  // CONNACK, SUBACK, and the beginning of a message
    ASSERT_EQ(::recv(fd.get(), answers, sizeof answers, MSG_WAITALL), 10);
  }
  EXPECT_EQ(broker.wait(), 1);
  EXPECT_TRUE(broker.process().wait_for_line(
      "bench-broker: a subscriber's connection ended in the middle of the run, after 0 messages"));
}

TEST(Broker, SaysWhenTheContenderSubscribesBelowTheRunsQos) {
  Broker broker({"--qos", "2"});
  Process discard({program("discard"), "--url", broker.url(), "--qos", "1"});
  EXPECT_EQ(broker.wait(), 1);
  EXPECT_TRUE(broker.process().wait_for_line("QoS 1 to a run of QoS 2")) << "and which";
}

TEST(Broker, RefusesWhatItCannotDo) {
  for (const Words& wrong :
       {Words{"--qos", "3"}, Words{"--window", "0"}, Words{"--sparse", "5"},
        Words{"--pace", "10", "--payload", "40"}, Words{"--pace", "10", "--sparse", "1:2"},
        Words{"--tls-key", "/nowhere"}}) {
    Process broker(words({program("broker")}, wrong));
    const auto exit = broker.wait();
    EXPECT_TRUE(exit && exit->code != 0) << broker.output();
    EXPECT_FALSE(broker.wait_for_line("port ")) << broker.output();
  }
}

}  // namespace
}  // namespace bench
