// From librdkafka's word to a verdict, and what options may not have.
#include "outcome.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "client_options.hpp"
#include "record.hpp"

namespace kafka {
namespace {

using std::chrono::seconds;

Settings settings_with(const char* topic) {
  Settings settings{{"kafka.example:9092"}, {"topic", topic}};
  settings.timeout = std::chrono::milliseconds(1500);
  return settings;
}

Outcome outcome_of(rd_kafka_resp_err_t code) {
  Outcome outcome;
  outcome.code = code;
  outcome.alone = true;
  outcome.reachable = true;
  return outcome;
}

TEST(KafkaOutcome, WhatIsWrongWithTheMessageRejectsIt) {
  const Settings settings = settings_with("{topic}");
  for (const auto code :
       {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE,
        RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, RD_KAFKA_RESP_ERR_INVALID_RECORD,
        RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, RD_KAFKA_RESP_ERR_POLICY_VIOLATION,
        RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT}) {
    EXPECT_EQ(verdict_of(outcome_of(code), settings).code(), TRIGGER_REJECT) << code;
  }
  EXPECT_EQ(verdict_of(outcome_of(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE), settings).reason(),
            "not in Kafka: Broker: Message size too large (MSG_SIZE_TOO_LARGE)");
}

TEST(KafkaOutcome, ALargeRequestIsNoFaultOfEachMessageInIt) {
  Outcome outcome = outcome_of(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
  outcome.alone = false;
  const auto verdict = verdict_of(outcome, settings_with("a"));
  EXPECT_EQ(verdict.code(), TRIGGER_RETRY);
  EXPECT_NE(verdict.reason().find("options.\"batch.size\""), std::string::npos) << verdict.reason();
}

TEST(KafkaOutcome, WhatMayGoBetterLaterIsARetry) {
  const Settings settings = settings_with("a");
  for (const auto code : {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_UNKNOWN,
                          RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, RD_KAFKA_RESP_ERR_INVALID_MSG,
                          RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR__TRANSPORT}) {
    EXPECT_EQ(verdict_of(outcome_of(code), settings).code(), TRIGGER_RETRY) << code;
  }
}

// One topic of many may be denied or missing, and the messages of the others go on.
TEST(KafkaOutcome, ATopicIsTheFaultOfAMessageOnlyIfItNamesIt) {
  for (const auto code :
       {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
        RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC}) {
    EXPECT_EQ(verdict_of(outcome_of(code), settings_with("a")).code(), TRIGGER_UNAVAILABLE) << code;
    EXPECT_EQ(verdict_of(outcome_of(code), settings_with("{topic}")).code(), TRIGGER_RETRY) << code;
  }
  const auto denied = outcome_of(RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED);
  EXPECT_EQ(verdict_of(denied, settings_with("{topic}")).code(), TRIGGER_UNAVAILABLE);
}

TEST(KafkaOutcome, TimeIsUp) {
  const Settings settings = settings_with("a");
  Outcome outcome = outcome_of(RD_KAFKA_RESP_ERR__MSG_TIMED_OUT);
  outcome.problem = "x";
  const auto reachable = verdict_of(outcome, settings);
  EXPECT_EQ(reachable.code(), TRIGGER_RETRY);
  EXPECT_EQ(reachable.reason(), "not acknowledged by Kafka in 1.5 s; the last problem was x");
  outcome.reachable = false;
  EXPECT_EQ(verdict_of(outcome, settings).code(), TRIGGER_UNAVAILABLE);
  outcome.status = RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED;
  EXPECT_EQ(verdict_of(outcome, settings).code(), TRIGGER_RETRY) << "it may be in Kafka";
}

TEST(KafkaOutcome, AProducerThatEndsIsNoFaultOfAMessage) {
  const Settings settings = settings_with("a");
  for (const auto code : {RD_KAFKA_RESP_ERR__FATAL, RD_KAFKA_RESP_ERR__PURGE_QUEUE,
                          RD_KAFKA_RESP_ERR__PURGE_INFLIGHT}) {
    Outcome outcome = outcome_of(code);
    EXPECT_EQ(verdict_of(outcome, settings).code(), TRIGGER_UNAVAILABLE) << code;
    outcome.status = RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED;
    EXPECT_EQ(verdict_of(outcome, settings).code(), TRIGGER_RETRY) << code;
  }
}

TEST(KafkaOutcome, AFullQueueHasRoomSoon) {
  const auto verdict = verdict_of(outcome_of(RD_KAFKA_RESP_ERR__QUEUE_FULL), settings_with("a"));
  EXPECT_EQ(verdict.code(), TRIGGER_UNAVAILABLE);
  EXPECT_EQ(verdict.retry_after_ms(), 100U);
}

TEST(KafkaTopic, HasTheCharactersOfKafka) {
  EXPECT_TRUE(is_topic("a"));
  EXPECT_TRUE(is_topic("A.b_c-9"));
  EXPECT_TRUE(is_topic(std::string(249, 'x')));
  for (const char* name : {"", ".", "..", "a/b", "a b", "a\n", "\xC3\xA4", "a+", "a:b"}) {
    EXPECT_FALSE(is_topic(name)) << name;
  }
  EXPECT_FALSE(is_topic(std::string(250, 'x')));
}

// All that librdkafka has, as it documents it itself: what its next version brings is in here, too.
std::vector<std::string> properties() {
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* out = ::open_memstream(&text, &size);
  rd_kafka_conf_properties_show(out);
  std::fclose(out);
  std::istringstream lines(std::string(text, size));
  std::free(text);
  std::vector<std::string> names;
  for (std::string line; std::getline(lines, line);) {
    const std::string name = line.substr(0, line.find(' '));
    if (line.find(" | ") != std::string::npos && name.find('.') != std::string::npos) {
      names.push_back(name);
    }
  }
  return names;
}

TEST(KafkaOptions, NothingThatNamesAFileIsASecretOrRunsAProgramIsTaken) {
  const std::set<std::string> harmless{"ssl.cipher.suites", "ssl.curves.list", "ssl.sigalgs.list"};
  std::size_t found = 0;
  for (const std::string& name : properties()) {
    const bool security = name.rfind("ssl.", 0) == 0 || name.rfind("ssl_", 0) == 0 ||
                          name.rfind("sasl.", 0) == 0 || name.rfind("plugin.", 0) == 0;
    if (!security || harmless.count(name) != 0) continue;
    ++found;
    EXPECT_FALSE(why_refused(name).empty()) << name;
  }
  EXPECT_GT(found, 30U);
  for (const char* name : {"queue.buffering.max.messages", "socket.keepalive.enable", "debug",
                           "partitioner", "ssl.cipher.suites"}) {
    EXPECT_EQ(why_refused(name), "") << name;
  }
}

}  // namespace
}  // namespace kafka
