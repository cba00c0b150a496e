// The plugin with librdkafka's mock cluster. In the runtime: tests/integration/kafka_test.cpp.
#include <dirent.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <trigger/testing.hpp>
#include <utility>
#include <vector>

#include "support/kafka_cluster.hpp"

namespace {

using namespace std::chrono_literals;
using trigger::testing::Attempt;
using trigger::testing::Instance;
using trigger::testing::Message;
using trigger::testing::Plugin;
using trigger::testing::Property;
using trigger::testing::Settings;
using triggerd::test::KafkaCluster;
using triggerd::test::KafkaRecord;
using triggerd::test::kcat;
using triggerd::test::kInitProducerIdRequest;
using triggerd::test::kProduceRequest;

constexpr std::chrono::seconds patience(120);

// Asks until it says yes.
template <class Predicate>
bool eventually(Predicate&& predicate) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!predicate()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

Settings settings(const std::string& brokers, Settings more = {}) {
  std::vector<std::string> keys;
  for (const auto& setting : more) keys.push_back(setting.key);
  if (std::find(keys.begin(), keys.end(), "topic") == keys.end()) more.emplace_back("topic", "t");
  std::size_t number = 0;
  for (std::size_t at = 0; at != std::string::npos; ++number) {
    const std::size_t end = brokers.find(',', at);
    more.emplace_back("brokers." + std::to_string(number), brokers.substr(at, end - at));
    at = end == std::string::npos ? end : end + 1;
  }
  return more;
}

std::size_t threads() {
  std::size_t count = 0;
  DIR* folder = ::opendir("/proc/self/task");
  while (const dirent* entry = ::readdir(folder)) count += entry->d_name[0] != '.' ? 1 : 0;
  ::closedir(folder);
  return count;
}

class KafkaTest : public testing::Test {
 protected:
  Instance run(Settings more = {}) {
    return plugin_.run("kafka", settings(cluster_.bootstrap(), std::move(more)));
  }
  // Nobody listens on this port of a test's own.
  std::string nowhere() {
    cluster_.set_down();
    return cluster_.bootstrap();
  }
  std::vector<std::string> values(const std::string& topic = "t") const {
    std::vector<std::string> all;
    for (const KafkaRecord& record : cluster_.records(topic)) {
      all.push_back(record.value.value_or("(null)"));
    }
    std::sort(all.begin(), all.end());
    return all;
  }

  KafkaCluster cluster_;
  const Plugin plugin_{PLUGIN_FILE};
};

void expect_ok(const Attempt& attempt) {
  const auto answer = attempt.wait(patience);
  ASSERT_EQ(answer.code, TRIGGER_OK) << answer.reason;
}

TEST_F(KafkaTest, AMessageIsARecordWithKeyAndHeaders) {
  auto instance = run({{"topic", "plant.{topic:2}"},
                       {"key", "{property:device}"},
                       {"headers.mqtt-topic", "{topic}"},
                       {"headers.id", "{id}"},
                       {"headers.unit", "{property:unit}"},
                       {"headers.site", "north"}});
  const std::string payload("\0\xff binary\n\0", 11);
  Message message{"in/boiler/t", payload};
  message.id = "id-7";
  message.properties = {Property::content_type("application/json"),
                        Property::user("device", std::string("d\0\x80", 3)),
                        Property::user("site", "somewhere else"),
                        Property::user("twice", "1"),
                        Property::user("twice", "2"),
                        Property::response_topic("r")};
  expect_ok(instance.send(message));
  EXPECT_TRUE(instance.violations().empty());

  const auto records = cluster_.records("plant.boiler");
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].value, payload);
  EXPECT_EQ(records[0].key, std::string("d\0\x80", 3));
  using Headers = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(records[0].headers, (Headers{{"mqtt-topic", "in/boiler/t"},
                                         {"id", "id-7"},
                                         {"site", "north"},
                                         {"content-type", "application/json"},
                                         {"device", std::string("d\0\x80", 3)},
                                         {"twice", "1"},
                                         {"twice", "2"}}))
      << "without unit, which the message does not have; site is that of the settings";
}

TEST_F(KafkaTest, WithoutKeyAndPropertiesThereAreNone) {
  auto instance = run({{"user_properties", false}});
  Message message{"a", "x"};
  message.properties = {Property::content_type("text/plain"), Property::user("a", "b")};
  expect_ok(instance.send(message));
  const auto records = cluster_.records("t");
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].key, std::nullopt);
  EXPECT_TRUE(records[0].headers.empty());
}

// The kit's time stands still, and is not that of this machine.
TEST_F(KafkaTest, TheTimeIsWhenTheMessageWasReceived) {
  auto instance = run();
  expect_ok(instance.send({"a", "1"}));
  instance.advance(90s);
  expect_ok(instance.send({"a", "2"}));
  const auto records = cluster_.records("t");
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(std::abs(records[0].timestamp - records[1].timestamp), 90'000);
}

TEST_F(KafkaTest, AnEmptyPayloadIsEmptyOrATombstone) {
  auto empty = run({{"key", "k"}});
  expect_ok(empty.send({"a", ""}));
  ASSERT_EQ(cluster_.records("t").size(), 1U);
  EXPECT_EQ(cluster_.records("t")[0].value, "");
  auto null = run({{"topic", "u"}, {"key", "k"}, {"tombstones", true}});
  expect_ok(null.send({"a", ""}));
  expect_ok(null.send({"a", "x"}));
  const auto records = cluster_.records("u");
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].value, std::nullopt);
  EXPECT_EQ(records[1].value, "x");
}

TEST_F(KafkaTest, AKeyHasItsPartitionAndItsOrder) {
  cluster_.create_topic("t", 8);
  auto instance = run({{"key", "{topic:2}"}, {"compression", "lz4"}});
  std::vector<Attempt> attempts;
  for (int i = 0; i < 400; ++i) {
    attempts.push_back(instance.send({"a/" + std::to_string(i % 40), std::to_string(1000 + i)}));
  }
  attempts.push_back(instance.send({"a/foobar", "x"}));
  for (const Attempt& attempt : attempts) expect_ok(attempt);
  std::map<std::string, std::vector<std::string>> of_key;
  std::map<std::string, std::int32_t> partition;
  for (const KafkaRecord& record : cluster_.records("t")) {
    const std::string key = record.key.value_or("");
    const bool first = of_key[key].empty();
    of_key[key].push_back(record.value.value_or(""));
    if (first) partition[key] = record.partition;
    EXPECT_EQ(partition[key], record.partition) << key;
  }
  EXPECT_EQ(of_key.size(), 41U);
  EXPECT_EQ(of_key.extract("foobar").mapped(), (std::vector<std::string>{"x"}));
  for (const auto& [key, values] : of_key) {
    EXPECT_EQ(values.size(), 10U);
    EXPECT_TRUE(std::is_sorted(values.begin(), values.end())) << key;
  }
  // Where Kafka's own clients put them: murmur2 of "21" is -973932308 and that of "foobar"
  // -790332482, both without their sign.
  EXPECT_EQ(partition["21"], 1'173'551'340 % 8);
  EXPECT_EQ(partition["foobar"], 1'357'151'166 % 8);
}

TEST_F(KafkaTest, EachOfABatchHasItsOwnVerdict) {
  auto instance = run({{"topic", "{topic:2}"}, {"key", "{topic:3}"}});
  std::vector<Message> messages;
  for (int i = 0; i < 300; ++i) {
    messages.push_back({"a/t/" + std::to_string(i), std::to_string(1000 + i)});
  }
  messages[7].topic = "a/t";
  messages[8].topic = "a/\xC3\xA4/x";
  messages[9].topic = "a";
  const auto attempts = instance.send_batch(messages);
  EXPECT_EQ(attempts[7].code(), TRIGGER_REJECT);
  EXPECT_EQ(attempts[7].reason(),
            "the setting key does not fit this message: the topic \"a/t\" has no level 3");
  EXPECT_EQ(attempts[8].code(), TRIGGER_REJECT);
  EXPECT_EQ(attempts[8].reason(),
            "the setting topic does not fit this message: it would be \"\xC3\xA4\", and a Kafka "
            "topic has 1 to 249 letters, digits, '.', '_' and '-', and neither \".\" nor \"..\"");
  EXPECT_EQ(attempts[9].code(), TRIGGER_REJECT);
  std::vector<std::string> expected;
  for (std::size_t i = 0; i < attempts.size(); ++i) {
    if (i >= 7 && i <= 9) continue;
    expect_ok(attempts[i]);
    expected.push_back(messages[i].payload);
  }
  EXPECT_EQ(values(), expected);
  EXPECT_TRUE(instance.violations().empty());
}

TEST_F(KafkaTest, LevelsOfATopicBecomeThoseOfKafkaAndHaveABound) {
  auto instance = run({{"topic", "mqtt.{topic}"}, {"max_topics", 2}});
  expect_ok(instance.send({"a/b", "1"}));
  expect_ok(instance.send({"a/c", "2"}));
  const Attempt third = instance.send({"a/d", "3"});
  EXPECT_EQ(third.code(), TRIGGER_REJECT);
  EXPECT_EQ(third.reason(), "the topic \"mqtt.a.d\" would be one more than 2 (max_topics)");
  expect_ok(instance.send({"a/b", "4"}));
  EXPECT_EQ(values("mqtt.a.b"), (std::vector<std::string>{"1", "4"}));
}

// ---- when it is ok ----

TEST_F(KafkaTest, ItIsOkOnlyOnceTheBrokerSaysSo) {
  auto instance = run();
  expect_ok(instance.send({"a", "first"}));
  cluster_.delay_answer(kProduceRequest, 3'600'000);
  const Attempt attempt = instance.send({"a", "second"});
  // The broker has it, and nobody has been told.
  ASSERT_TRUE(eventually([this] { return values().size() == 2; }));
  EXPECT_TRUE(attempt.pending());
  instance.stop();
  EXPECT_EQ(attempt.code(), TRIGGER_RETRY);
  EXPECT_EQ(attempt.reason(), "revoked: the instance stopped");
  EXPECT_TRUE(instance.violations().empty());
}

// All of these are told before the record is in the log.
TEST_F(KafkaTest, ErrorsThatPassAreSeenByNobody) {
  auto instance = run({{"key", "k"}, {"timeout_seconds", 600}});
  std::vector<std::string> sent;
  for (int round = 0; round < 2; ++round) {
    cluster_.fail_requests(
        kProduceRequest,
        {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR__TRANSPORT,
         RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS});
    std::vector<Attempt> attempts;
    for (int i = 0; i < 100; ++i) {
      sent.push_back(std::to_string(1000 + sent.size()));
      attempts.push_back(instance.send({"a", sent.back()}));
    }
    for (const Attempt& attempt : attempts) expect_ok(attempt);
  }
  std::vector<std::string> found;
  for (const KafkaRecord& record : cluster_.records("t")) {
    found.push_back(record.value.value_or(""));
  }
  EXPECT_EQ(found, sent) << "once each, in the order of their key";
  EXPECT_EQ(instance.metric("kafka_delivered_total"), 200);
  EXPECT_EQ(instance.metric("kafka_failed_total"), 0);
}

TEST_F(KafkaTest, AConnectionThatBreaksAtEveryTurnLosesNothing) {
  auto instance = run();
  std::vector<Attempt> attempts;
  std::vector<std::string> sent;
  for (int i = 0; i < 300; ++i) {
    if (i == 100 || i == 200) {
      cluster_.set_down();
      cluster_.set_up();
    }
    sent.push_back(std::to_string(1000 + i));
    attempts.push_back(instance.send({"a", sent.back()}));
  }
  for (const Attempt& attempt : attempts) expect_ok(attempt);
  // The mock cluster does not know a repetition, which a broker would leave out.
  std::vector<std::string> found = values();
  found.erase(std::unique(found.begin(), found.end()), found.end());
  EXPECT_EQ(found, sent);
}

TEST_F(KafkaTest, ErrorsThatStayAreVerdicts) {
  auto one = run();
  expect_ok(one.send({"a", "0"}));
  const auto next = [this, &one](rd_kafka_resp_err_t error) {
    cluster_.fail_requests(kProduceRequest, {error});
    return one.send({"a", "x"}).wait(patience);
  };
  EXPECT_EQ(next(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE).code, TRIGGER_REJECT);
  const auto refused = next(RD_KAFKA_RESP_ERR_INVALID_RECORD);
  EXPECT_EQ(refused.code, TRIGGER_REJECT);
  EXPECT_EQ(refused.reason,
            "not in Kafka: Broker: Broker failed to validate record (INVALID_RECORD)");
  expect_ok(one.send({"a", "1"}));
  EXPECT_EQ(values(), (std::vector<std::string>{"0", "1"}));
  EXPECT_EQ(one.metric("kafka_delivered_total"), 2);
  EXPECT_EQ(one.metric("kafka_failed_total"), 2);
  EXPECT_EQ(next(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED).code, TRIGGER_UNAVAILABLE);
  EXPECT_TRUE(eventually([&] {
    return one.send({"a", "2"}).wait(patience).code == TRIGGER_OK;
  })) << "librdkafka asks about the topic again";

  auto many = run({{"topic", "{topic}"}});
  cluster_.fail_requests(kProduceRequest, {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED});
  EXPECT_EQ(many.send({"a", "x"}).wait(patience).code, TRIGGER_RETRY);
}

TEST_F(KafkaTest, WhatIsTooLargeForLibrdkafkaIsRejectedAtOnce) {
  auto instance = run({{"options.message.max.bytes", 2000}});
  const Attempt attempt = instance.send({"a", std::string(3000, 'x')});
  EXPECT_EQ(attempt.code(), TRIGGER_REJECT);
  EXPECT_EQ(attempt.reason(), "not in Kafka: Broker: Message size too large (MSG_SIZE_TOO_LARGE)");
  expect_ok(instance.send({"a", std::string(1000, 'x')}));
}

// ---- brokers that are away ----

TEST_F(KafkaTest, StartsWithoutABroker) {
  auto instance = plugin_.run("kafka", settings(nowhere()));
  const Attempt attempt = instance.send({"a", "1"});
  ASSERT_TRUE(eventually([&] {
    const auto lines = instance.log_lines();
    return std::any_of(lines.begin(), lines.end(), [](const auto& line) {
      return line.text.find("Connection refused") != std::string::npos;
    });
  }));
  EXPECT_TRUE(attempt.pending());
  cluster_.set_up();
  expect_ok(attempt);
  EXPECT_EQ(values(), (std::vector<std::string>{"1"}));
}

TEST_F(KafkaTest, WithoutABrokerTheMessageWaitsAndIsNotToBlame) {
  auto instance = plugin_.run("kafka", settings(nowhere(), {{"timeout_seconds", 1}}));
  const auto answer = instance.send({"a", "1"}).wait(patience);
  EXPECT_EQ(answer.code, TRIGGER_UNAVAILABLE);
  EXPECT_EQ(answer.reason.rfind("not acknowledged by Kafka in 1 s; the last problem was ", 0), 0U)
      << answer.reason;
  EXPECT_NE(answer.reason.find("Connection refused"), std::string::npos) << answer.reason;
  EXPECT_EQ(instance.probe().code, TRIGGER_E_FAILED);
  cluster_.set_up();
  ASSERT_TRUE(eventually([&] { return instance.probe().code == TRIGGER_OK; }));
  expect_ok(instance.send({"a", "2"}));
  EXPECT_EQ(values(), (std::vector<std::string>{"2"}));
}

TEST_F(KafkaTest, ABrokerThatGoesAwayIsNoFaultOfTheMessage) {
  auto instance = run({{"timeout_seconds", 2}});
  expect_ok(instance.send({"a", "1"}));
  cluster_.set_down();
  ASSERT_TRUE(eventually([&] {
    const auto lines = instance.log_lines();
    return std::any_of(lines.begin(), lines.end(), [](const auto& line) {
      return line.text.find("brokers are down") != std::string::npos;
    });
  }));
  EXPECT_EQ(instance.send({"a", "2"}).wait(patience).code, TRIGGER_UNAVAILABLE);
}

TEST_F(KafkaTest, ABrokerThatOnlySaysNoIsARetry) {
  auto instance = run({{"timeout_seconds", 2}});
  expect_ok(instance.send({"a", "1"}));
  cluster_.fail_requests(kProduceRequest, std::vector<rd_kafka_resp_err_t>(
                                              100'000, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS));
  const auto answer = instance.send({"a", "2"}).wait(patience);
  EXPECT_EQ(answer.code, TRIGGER_RETRY);
  cluster_.clear_errors(kProduceRequest);
  expect_ok(instance.send({"a", "3"}));
}

// The runtime would deliver it again, and librdkafka still has it.
TEST_F(KafkaTest, TheDeadlineIsThatOfTheDelivery) {
  auto instance = run({{"timeout_seconds", 40}});
  Message message{"a", "1"};
  message.timeout = 30s;
  EXPECT_EQ(instance.send(message).extended_ms(), 45'000U);
  message.timeout = 46s;
  EXPECT_EQ(instance.send(message).extended_ms(), 0U);
  message.timeout = 30s;
  EXPECT_EQ(instance.send_batch({message, message})[1].extended_ms(), 45'000U);
}

TEST_F(KafkaTest, AFullQueueHoldsTheMessagesBack) {
  auto instance =
      plugin_.run("kafka", settings(nowhere(), {{"options.queue.buffering.max.messages", 3}}));
  std::vector<Attempt> attempts;
  for (int i = 0; i < 5; ++i) attempts.push_back(instance.send({"a", std::to_string(i)}));
  EXPECT_TRUE(attempts[2].pending());
  EXPECT_EQ(attempts[3].code(), TRIGGER_UNAVAILABLE);
  EXPECT_EQ(attempts[3].answer().retry_after_ms, 100U);
  EXPECT_EQ(attempts[4].code(), TRIGGER_UNAVAILABLE);
  cluster_.set_up();
  for (int i = 0; i < 3; ++i) expect_ok(attempts[static_cast<std::size_t>(i)]);
  expect_ok(instance.send({"a", "again"}));
  EXPECT_TRUE(instance.violations().empty());
}

// ---- a producer that cannot go on ----

TEST_F(KafkaTest, AfterAFatalErrorThereIsAnotherProducer) {
  auto instance = run();
  expect_ok(instance.send({"a", "1"}));
  cluster_.fail_requests(kProduceRequest, {RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER});
  const auto answer = instance.send({"a", "2"}).wait(patience);
  EXPECT_TRUE(answer.code == TRIGGER_RETRY || answer.code == TRIGGER_UNAVAILABLE) << answer.code;
  ASSERT_TRUE(eventually([&] { return instance.metric("kafka_producers_total") == 2; }));
  ASSERT_TRUE(eventually([&] {
    return instance.send({"a", "3"}).wait(patience).code == TRIGGER_OK;
  }));
  const auto lines = instance.log_lines();
  EXPECT_TRUE(std::any_of(lines.begin(), lines.end(), [](const auto& line) {
    return line.text.rfind("the producer cannot go on: ", 0) == 0;
  }));
  EXPECT_TRUE(instance.violations().empty());
}

// An idempotent producer asks for its id before it writes anything, and no other one does.
TEST_F(KafkaTest, WhoMayNotWriteIdempotentlyWritesNothing) {
  cluster_.fail_requests(kInitProducerIdRequest, {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED});
  auto instance = run();
  const auto answer = instance.send({"a", "1"}).wait(patience);
  EXPECT_EQ(answer.code, TRIGGER_UNAVAILABLE) << answer.reason;
  ASSERT_TRUE(eventually([&] {
    return instance.send({"a", "2"}).wait(patience).code == TRIGGER_OK;
  }));
  EXPECT_EQ(values(), (std::vector<std::string>{"2"}));
}

// ---- passwords ----

// What a broker says and hears until somebody has said who he is, by SASL PLAIN.
// Refuses until `accept` is called, and remembers what was said from then on.
class Doorkeeper {
 public:
  Doorkeeper() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(listener_, 16) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("no socket");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~Doorkeeper() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  Doorkeeper(const Doorkeeper&) = delete;
  Doorkeeper& operator=(const Doorkeeper&) = delete;

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  int refused() const { return refused_; }
  void accept() { accepts_ = true; }
  std::vector<std::string> said() const {
    const std::lock_guard lock(mutex_);
    return said_;
  }

 private:
  // Four bytes of length, and so much; empty where the other end has closed.
  static std::string frame(int fd) {
    std::uint32_t length = 0;
    if (::recv(fd, &length, sizeof length, MSG_WAITALL) != sizeof length) return {};
    std::string bytes(ntohl(length), '\0');
    const auto got = ::recv(fd, bytes.data(), bytes.size(), MSG_WAITALL);
    return got == static_cast<ssize_t>(bytes.size()) ? bytes : std::string();
  }
  static void answer(int fd, const std::string& bytes) {
    const std::uint32_t length = htonl(static_cast<std::uint32_t>(bytes.size()));
    ::send(fd, &length, sizeof length, MSG_NOSIGNAL);
    ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

  void run() {
    for (;;) {
      const int fd = ::accept(listener_, nullptr, nullptr);
      if (fd < 0) return;
      talk(fd);
      ::close(fd);
    }
  }
  // A request begins with its kind and its version, of two bytes each, and a correlation id of
  // four, which comes back. What follows the last one is SASL's own.
  void talk(int fd) {
    std::string id;
    for (;;) {
      const std::string request = frame(fd);
      if (request.size() < 8) return;
      id = request.substr(4, 4);
      if (request[1] == 17) break;
      // ApiVersions: 35, no such version; or what there is: 17 (SaslHandshake) and 18, 0 to 0.
      answer(fd,
             id + (request[3] > 0 ? std::string("\0\x23\0\0\0\0", 6)
                                  : std::string("\0\0\0\0\0\2\0\x11\0\0\0\0\0\x12\0\0\0\0", 18)));
    }
    // SaslHandshake: 33, no such mechanism; or 0. Then those that there are.
    const bool welcome = accepts_;
    answer(fd, id + std::string(1, '\0') + (welcome ? '\0' : '\x21') +
                   std::string("\0\0\0\x01\0\x05PLAIN", 11));
    if (!welcome) {
      ++refused_;
      return;
    }
    const std::string token = frame(fd);
    const std::lock_guard lock(mutex_);
    said_.push_back(token);
  }

  const int listener_;
  std::uint16_t port_ = 0;
  std::atomic<int> refused_{0};
  std::atomic<bool> accepts_{false};
  mutable std::mutex mutex_;
  std::vector<std::string> said_;  // protected by mutex_
  std::thread thread_;
};

TEST_F(KafkaTest, APasswordThatIsRefusedIsReadAgain) {
  const std::string file = testing::TempDir() + "kafka_secret_" + std::to_string(::getpid());
  std::ofstream(file) << "old\n";
  Doorkeeper broker;
  auto instance = plugin_.run(
      "kafka", settings(broker.address(), {{"username", "me"},
                                           {"password_file", file},
                                           {"sasl_mechanism", "plain"},
                                           {"options.api.version.request", false},
                                           {"options.broker.version.fallback", "0.10.0"},
                                           {"options.reconnect.backoff.max.ms", 200}}));
  const Attempt attempt = instance.send({"a", "1"});
  ASSERT_TRUE(eventually([&] { return broker.refused() > 0; }));
  std::ofstream(file) << "new\n";
  const int so_far = broker.refused();
  ASSERT_TRUE(eventually([&] { return broker.refused() > so_far + 1; }));
  broker.accept();
  const std::string wanted("\0me\0new", 7);
  EXPECT_TRUE(eventually([&] {
    const auto said = broker.said();
    return std::find(said.begin(), said.end(), wanted) != said.end();
  }));
  EXPECT_TRUE(attempt.pending());
  for (const auto& line : instance.log_lines()) {
    EXPECT_EQ(line.text.find("new"), std::string::npos) << line.text;
    EXPECT_EQ(line.text.find("old"), std::string::npos) << line.text;
  }
}

// ---- the end ----

TEST_F(KafkaTest, StopsWhileNobodyAnswers) {
  const std::size_t before = threads();
  auto instance = plugin_.run("kafka", settings(nowhere()));
  std::vector<Attempt> attempts;
  for (int i = 0; i < 100; ++i) attempts.push_back(instance.send({"a", std::to_string(i)}));
  instance.stop();
  EXPECT_EQ(threads(), before) << "those of librdkafka have ended";
  for (const Attempt& attempt : attempts) {
    EXPECT_EQ(attempt.reason(), "revoked: the instance stopped");
  }
  cluster_.set_up();
  instance.start();
  expect_ok(instance.send({"a", "again"}));
  instance.stop();
  EXPECT_EQ(threads(), before);
  EXPECT_EQ(values(), (std::vector<std::string>{"again"})) << "what was left is the runtime's";
  EXPECT_TRUE(instance.violations().empty());
}

TEST_F(KafkaTest, AStopInTheMiddleLosesNothing) {
  auto instance = run({{"linger_seconds", 0.002}});
  constexpr std::size_t total = 5000;
  std::vector<bool> done(total);
  std::vector<std::string> sent;
  for (std::size_t i = 0; i < total; ++i) sent.push_back(std::to_string(10'000 + i));
  for (int round = 0; round < 3; ++round) {
    std::vector<std::pair<std::size_t, Attempt>> attempts;
    for (std::size_t i = 0; i < total; ++i) {
      if (!done[i]) attempts.emplace_back(i, instance.send({"a", sent[i]}));
    }
    if (round < 2) {
      ASSERT_TRUE(eventually([&] { return instance.metric("kafka_delivered_total") > round; }));
      instance.stop();
      instance.start();
    }
    for (const auto& [i, attempt] : attempts) {
      if (round == 2) expect_ok(attempt);
      done[i] = attempt.code() == TRIGGER_OK;
    }
  }
  std::vector<std::string> found = values();
  EXPECT_GE(found.size(), total);
  found.erase(std::unique(found.begin(), found.end()), found.end());
  EXPECT_EQ(found, sent);
  EXPECT_TRUE(instance.violations().empty());
}

TEST_F(KafkaTest, NothingIsLeftOfAnUnloadedPlugin) {
  const std::size_t before = threads();
  for (int i = 0; i < 5; ++i) {
    const Plugin other{PLUGIN_FILE};
    auto one = other.run("kafka", settings(cluster_.bootstrap()));
    auto two = other.run("kafka", settings(cluster_.bootstrap()));
    expect_ok(one.send({"a", "1"}));
    expect_ok(two.send({"a", "2"}));
  }
  EXPECT_EQ(threads(), before);
}

// ---- metrics and log ----

TEST_F(KafkaTest, StatisticsOfLibrdkafkaAreMetrics) {
  cluster_.set_round_trip(40);
  auto instance = run({{"statistics_seconds", 1}});
  expect_ok(instance.send({"a", std::string(5000, 'x')}));
  ASSERT_TRUE(eventually([&] {
    instance.send({"a", "y"});
    return instance.metric("kafka_sent_bytes_total").value_or(0) > 5000 &&
           instance.metric("kafka_round_trip_seconds").value_or(0) >= 0.03;
  })) << instance.metric("kafka_sent_bytes_total").value_or(-1);
  EXPECT_GE(instance.metric("kafka_round_trip_p99_seconds").value_or(0),
            instance.metric("kafka_round_trip_seconds").value_or(0));
  EXPECT_GE(instance.metric("kafka_brokers_connected").value_or(0), 1);
  EXPECT_GT(instance.metric("kafka_requests_total").value_or(0), 2);
  cluster_.set_down();
  std::vector<Attempt> waiting;
  for (int i = 0; i < 10; ++i) waiting.push_back(instance.send({"a", std::string(100, 'z')}));
  EXPECT_TRUE(eventually([&] {
    return instance.metric("kafka_queue_messages").value_or(0) >= 10 &&
           instance.metric("kafka_queue_bytes").value_or(0) >= 1000 &&
           instance.metric("kafka_brokers_connected") == 0;
  }));
  instance.stop();
  EXPECT_EQ(instance.metric("kafka_queue_messages"), 0);
  EXPECT_EQ(instance.metric("kafka_queue_bytes"), 0);
}

TEST_F(KafkaTest, WhatLibrdkafkaSaysIsInTheLogWithABound) {
  auto instance = run({{"options.debug", "all"}});
  std::vector<Attempt> attempts;
  for (int i = 0; i < 500; ++i) attempts.push_back(instance.send({"a", "1"}));
  for (const Attempt& attempt : attempts) expect_ok(attempt);
  ASSERT_TRUE(eventually([&] {
    const auto lines = instance.log_lines();
    return std::any_of(lines.begin(), lines.end(), [](const auto& line) {
      return line.text.find(" lines of librdkafka were left out") != std::string::npos;
    });
  }));
  const auto lines = instance.log_lines();
  EXPECT_TRUE(std::any_of(lines.begin(), lines.end(), [](const auto& line) {
    return line.level == TRIGGER_LOG_DEBUG && line.text.rfind("BRKMAIN: ", 0) == 0;
  }));
}

// ---- read by another program ----

TEST_F(KafkaTest, KcatReadsWhatWasWritten) {
  cluster_.create_topic("kc", 1);
  auto instance = run({{"topic", "kc"}, {"key", "{topic:2}"}, {"headers.id", "{id}"}});
  for (int i = 0; i < 3; ++i) {
    Message message{"a/k" + std::to_string(i), "payload " + std::to_string(i)};
    message.id = "id-" + std::to_string(i);
    message.properties = {Property::user("unit", "C")};
    expect_ok(instance.send(message));
  }
  EXPECT_EQ(kcat(cluster_.bootstrap(),
                 {"-C", "-t", "kc", "-o", "beginning", "-e", "-q", "-f", "%o %k %h %S %s\\n"}),
            "0 k0 id=id-0,unit=C 9 payload 0\n"
            "1 k1 id=id-1,unit=C 9 payload 1\n"
            "2 k2 id=id-2,unit=C 9 payload 2\n");
}

// ---- settings ----

class KafkaSettings : public testing::Test {
 protected:
  std::string why_not(Settings more) const {
    more.emplace_back("brokers.0", "kafka.example:9092");
    if (std::none_of(more.begin(), more.end(), [](const auto& s) { return s.key == "topic"; })) {
      more.emplace_back("topic", "t");
    }
    return plugin_.why_not("kafka", more);
  }
  static std::string file(const char* name, const std::string& content) {
    const std::string path = testing::TempDir() + "kafka_" + std::to_string(::getpid()) + name;
    std::ofstream(path) << content;
    return path;
  }

  const Plugin plugin_{PLUGIN_FILE};
};

TEST_F(KafkaSettings, TheLeastAndTheMost) {
  EXPECT_EQ(why_not({}), "");
  const std::string pem = file("pem", "x");
  const std::string password = file("password", "secret\n");
  EXPECT_EQ(why_not({{"brokers.1", "[::1]:9093"},
                     {"brokers.2", "other.example"},
                     {"topic", "a.{topic:1}_{trigger}-x"},
                     {"max_topics", 10},
                     {"key", "{id}"},
                     {"headers.a", "{property:b}"},
                     {"user_properties", false},
                     {"tombstones", true},
                     {"compression", "zstd"},
                     {"timeout_seconds", 2.5},
                     {"linger_seconds", 0.05},
                     {"statistics_seconds", 60},
                     {"tls", true},
                     {"ca_file", pem},
                     {"cert_file", pem},
                     {"key_file", pem},
                     {"username", "u"},
                     {"password_file", password},
                     {"sasl_mechanism", "plain"},
                     {"options.socket.keepalive.enable", true},
                     {"options.message.max.bytes", 2'000'000},
                     {"options.client.id", "me"},
                     {"options.partitioner", "consistent"}}),
            "");
}

TEST_F(KafkaSettings, NamesAWrongOne) {
  const std::vector<std::pair<Settings, std::string>> cases{
      {{{"brokers.1", "a:b"}},
       "setting \"brokers.1\" must be HOST or HOST:PORT, such as \"kafka.example:9092\""},
      {{{"brokers.1", "a:70000"}},
       "setting \"brokers.1\" must be HOST or HOST:PORT, such as \"kafka.example:9092\""},
      {{{"brokers.1", "kafka://a"}},
       "setting \"brokers.1\" must be HOST or HOST:PORT, such as \"kafka.example:9092\""},
      {{{"brokers.1", 9092}}, "setting \"brokers.1\" must be a string, not an integer"},
      {{{"topic", ""}}, "setting \"topic\" must not be empty"},
      {{{"topic", "a/{topic}"}},
       "setting \"topic\" must be a Kafka topic: 1 to 249 letters, digits, '.', '_' and '-', and "
       "neither \".\" nor \"..\""},
      {{{"topic", ".."}},
       "setting \"topic\" must be a Kafka topic: 1 to 249 letters, digits, '.', '_' and '-', and "
       "neither \".\" nor \"..\""},
      {{{"topic", "{x}"}},
       "setting \"topic\" has the unknown placeholder {x}; use {topic}, {topic:N}, {trigger}, "
       "{id}, {qos}, {attempt}, {property:NAME}, {content_type}, {response_topic} or "
       "{json:/POINTER}"},
      {{{"max_topics", 0}}, "setting \"max_topics\" must be from 1 to 100000"},
      {{{"key", "{"}}, "setting \"key\" has a { without its }; write {{ for a brace"},
      {{{"headers", "x"}}, "setting \"headers\" must be a table: NAME = \"value\""},
      {{{"headers.a", 1}}, "setting \"headers.a\" must be a string, not an integer"},
      {{{"user_properties", "all"}},
       "setting \"user_properties\" must be true or false, not a string"},
      {{{"compression", "zip"}},
       "setting \"compression\" must be \"none\", \"gzip\", \"snappy\", \"lz4\" or \"zstd\""},
      {{{"timeout_seconds", 0}}, "setting \"timeout_seconds\" must be from 0.001 to 86400 seconds"},
      {{{"linger_seconds", -1}}, "setting \"linger_seconds\" must be from 0 to 60 seconds"},
      {{{"linger_seconds", 30}}, "setting \"linger_seconds\" must be below timeout_seconds"},
      {{{"statistics_seconds", 0}}, "setting \"statistics_seconds\" must be from 1 to 86400"},
      {{{"ca_file", "/etc/passwd"}}, "setting \"ca_file\" needs tls = true"},
      {{{"tls", true}, {"ca_file", "/nowhere"}}, "setting \"ca_file\" must name a readable file"},
      {{{"tls", true}, {"cert_file", "/etc/passwd"}}, "setting \"cert_file\" needs key_file"},
      {{{"tls", true}, {"key_file", "/etc/passwd"}}, "setting \"key_file\" needs cert_file"},
      {{{"username", "u"}}, "setting \"username\" needs password_file or password"},
      {{{"password", "p"}}, "setting \"password\" needs username"},
      {{{"sasl_mechanism", "plain"}}, "setting \"sasl_mechanism\" needs username"},
      {{{"username", "u"}, {"password", "p"}, {"password_file", "/x"}},
       "setting \"password_file\" cannot be combined with password"},
      {{{"username", "u"}, {"password", ""}}, "setting \"password\" must not be empty"},
      {{{"username", "u"}, {"password_file", "/nowhere"}},
       "setting \"password_file\" must name a readable file with the password in its first line"},
      {{{"username", "u"}, {"password", "p"}, {"sasl_mechanism", "gssapi"}},
       "setting \"sasl_mechanism\" must be \"plain\", \"scram-sha-256\" or \"scram-sha-512\""},
      {{{"options", "x"}}, "setting \"options\" must be a table: \"a.name.of.librdkafka\" = value"},
      {{{"options.acks", 1}},
       "setting \"options.acks\" must not be set: a message is ok only once all in-sync replicas "
       "have it, once and in order"},
      {{{"options.enable.idempotence", false}},
       "setting \"options.enable.idempotence\" must not be set: a message is ok only once all "
       "in-sync replicas have it, once and in order"},
      {{{"options.bootstrap.servers", "a"}},
       "setting \"options.bootstrap.servers\" must not be set here; see brokers"},
      {{{"options.sasl.password", "x"}},
       "setting \"options.sasl.password\" must not be set here; see password_file"},
      {{{"options.enable.ssl.certificate.verification", false}},
       "setting \"options.enable.ssl.certificate.verification\" must not be set: a broker's "
       "certificate and its name are always verified"},
      {{{"options.plugin.library.paths", "x"}},
       "setting \"options.plugin.library.paths\" must not be set: it would load code into the "
       "runtime"},
      {{{"options.test.mock.num.brokers", 3}},
       "setting \"options.test.mock.num.brokers\" must not be set: it is for tests of librdkafka"},
      {{{"options.max.in.flight", 6}},
       "setting \"options.max.in.flight.requests.per.connection\" must be at most 5: messages of "
       "one key would come out of order"},
      {{{"options.reconnect.backoff.ms", 20'000}},
       "setting \"options.reconnect.backoff.max.ms\" must not be below "
       "options.reconnect.backoff.ms"},
      {{{"options.queue.buffering.max.kbytes", 10}},
       "setting \"options.queue.buffering.max.kbytes\" must have room for one message of "
       "options.message.max.bytes"},
      {{{"options.message.max.bytes", 1}},
       "setting \"options.message.max.bytes\" is refused by librdkafka: Configuration property "
       "\"message.max.bytes\" value 1 is outside allowed range 1000..1000000000\n"},
  };
  for (const auto& [wrong, said] : cases) {
    EXPECT_EQ(why_not(wrong), said.substr(0, said.find('\n'))) << wrong.back().key;
  }
  const std::string unknown = why_not({{"options.no.such", 1}});
  EXPECT_EQ(unknown.rfind("setting \"options.no.such\" is not known to librdkafka ", 0), 0U)
      << unknown;
  const std::string misspelt = why_not({{"compresion", "zstd"}});
  EXPECT_NE(misspelt.find("did you mean \"compression\"?"), std::string::npos) << misspelt;
  EXPECT_EQ(plugin_.why_not("kafka", {{"topic", "t"}}),
            "setting \"brokers\" is missing; it must be an array of strings: "
            "[\"kafka.example:9092\"]");
  EXPECT_EQ(plugin_.why_not("kafka", {{"topic", "t"}, {"brokers", "a:1"}}),
            "setting \"brokers\" must be an array of strings: [\"kafka.example:9092\"]");
  EXPECT_EQ(plugin_.why_not("kafka", {{"brokers.0", "a"}}),
            "setting \"topic\" is missing; it must be a string");
}

TEST_F(KafkaSettings, ACheckNeedsNoThread) {
  const std::size_t before = threads();
  auto instance = plugin_.create("kafka", {{"topic", "t"}, {"brokers.0", "kafka.example"}});
  EXPECT_EQ(threads(), before);
}

// What only a producer finds is found at the start, with its reason.
TEST_F(KafkaSettings, ACertificateThatIsNoneStopsTheStart) {
  auto instance = plugin_.create("kafka", {{"topic", "t"},
                                           {"brokers.0", "kafka.example"},
                                           {"tls", true},
                                           {"ca_file", file("ca", "no certificate\n")}});
  try {
    instance.start();
    FAIL();
  } catch (const std::runtime_error& error) {
    const std::string said = error.what();
    EXPECT_EQ(said.rfind("librdkafka makes no producer: ", 0), 0U) << said;
    EXPECT_NE(said.find("ssl.ca.location"), std::string::npos) << said;
  }
}

TEST(KafkaService, RunsOnSeveralWorkersAndTakesBatches) {
  const Plugin plugin(PLUGIN_FILE);
  EXPECT_EQ(plugin.service().flags, TRIGGER_SERVICE_CONCURRENT);
  EXPECT_NE(plugin.service().handle_batch, nullptr);
  EXPECT_EQ(plugin.name(), "kafka");
}

}  // namespace
