// A service with handle_batch, in the real runtime: what goes into one call, and that every message
// of it is its own.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "integration/recorded.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"

namespace triggerd::test {
namespace {

// A line that batcher.cpp wrote.
struct Call {
  std::string kind;  // "single", "batch", "pending"
  std::vector<std::string> messages;
};

class BatchTest : public testing::Test {
 protected:
  void start(const std::string& trigger, const std::string& settings = {},
             const std::string& runtime = {}) {
    triggerd_.emplace(runtime_table(runtime) + alias_table("a", server_.port()) +
                      trigger_table("t", "a", "\"x/#\"", file(),
                                    "service = \"batcher:batch\"\n" + trigger, settings));
    triggerd_->start();
    ASSERT_TRUE(triggerd_->wait_until_running()) << triggerd_->output();
  }
  std::filesystem::path file() const { return dir_ / "calls"; }
  std::vector<Call> calls() const {
    std::vector<Call> found;
    std::ifstream in(file());
    for (std::string line; std::getline(in, line);) {
      std::istringstream words(line);
      Call& call = found.emplace_back();
      words >> call.kind;
      for (std::string word; words >> word;) call.messages.push_back(word);
    }
    return found;
  }
  std::vector<std::string> handled() const {
    std::vector<std::string> all;
    for (const Call& call : calls()) {
      all.insert(all.end(), call.messages.begin(), call.messages.end());
    }
    return all;
  }
  [[nodiscard]] bool wait_for(std::size_t messages) const {
    return eventually([&] { return handled().size() >= messages; });
  }
  // A first message, whose call takes a while, and the others while it is under way.
  void publish(const std::vector<std::pair<std::string, std::string>>& messages) {
    TestClient client(server_.port());
    for (const auto& [topic, payload] : messages) client.publish_later(topic, payload);
    ASSERT_TRUE(client.wait_published());
  }
  void TearDown() override {
    if (HasFailure() && triggerd_) ADD_FAILURE() << triggerd_->output();
  }

  TempDir dir_;
  MosquittoServer server_;
  std::optional<TriggerdProcess> triggerd_;
};

TEST_F(BatchTest, WhatGathersDuringACallIsTheNextOne) {
  start("order = \"none\"", "delay_ms = 50");
  std::vector<std::pair<std::string, std::string>> messages;
  std::vector<std::string> expected;
  for (int i = 0; i < 600; ++i) {
    messages.emplace_back("x", std::to_string(i));
    expected.push_back("x=" + std::to_string(i));
  }
  publish(messages);
  ASSERT_TRUE(wait_for(messages.size()));
  EXPECT_EQ(handled(), expected) << "with one call at a time, in the order of their arrival";
  std::size_t largest = 0;
  for (const Call& call : calls()) {
    EXPECT_EQ(call.kind, call.messages.size() == 1 ? "single" : "batch");
    largest = std::max(largest, call.messages.size());
  }
  EXPECT_GT(largest, 1U);
  EXPECT_LE(largest, 256U);
  EXPECT_EQ(triggerd_->stop(), (Exit{0, 0}));
}

TEST_F(BatchTest, TwoOfOneKeyAreNeverInOneCall) {
  start("order = \"topic\"\nretry = { interval = \"10ms\" }", "delay_ms = 20");
  std::vector<std::pair<std::string, std::string>> messages;
  for (int i = 0; i < 20; ++i) {
    for (const char* topic : {"x/a", "x/b", "x/c"}) {
      messages.emplace_back(topic, (i % 5 == 0 ? "retry-" : "") + std::to_string(i));
    }
  }
  publish(messages);
  ASSERT_TRUE(wait_for(messages.size()));
  std::map<std::string, std::vector<int>> by_topic;
  for (const Call& call : calls()) {
    std::map<std::string, int> of_topic;
    for (const std::string& message : call.messages) {
      const std::string topic = message.substr(0, message.find('='));
      EXPECT_EQ(++of_topic[topic], 1) << message;
      by_topic[topic].push_back(std::stoi(message.substr(message.find_last_of("=-") + 1)));
    }
  }
  ASSERT_EQ(by_topic.size(), 3U);
  for (const auto& [topic, numbers] : by_topic) {
    ASSERT_EQ(numbers.size(), 20U);
    EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end())) << "retries hold their key";
  }
}

TEST_F(BatchTest, EachMessageHasItsOwnVerdict) {
  start("order = \"none\"\nretry = { interval = \"10ms\" }", "delay_ms = 50");
  publish({{"x", "first"},
           {"x", "a"},
           {"x", "retry-1"},
           {"x", "reject-1"},
           {"x", "pending-1"},
           {"x", "b"}});
  ASSERT_TRUE(triggerd_->wait_for_event("message.dead_letter", {"refused"}));
  ASSERT_TRUE(wait_for(5));
  std::vector<std::string> all = handled();
  std::sort(all.begin(), all.end());
  EXPECT_EQ(all, (std::vector<std::string>{"x=a", "x=b", "x=first", "x=pending-1", "x=retry-1"}));
  EXPECT_EQ(triggerd_->stop(), (Exit{0, 0}));
  EXPECT_NE(triggerd_->output().find("6 messages received, 5 handled"), std::string::npos);
}

TEST_F(BatchTest, WhatIsInACallWhenTheProcessDiesComesAgain) {
  start("order = \"none\"", "delay_ms = 300");
  std::vector<std::pair<std::string, std::string>> messages;
  for (int i = 0; i < 50; ++i) messages.emplace_back("x", std::to_string(i));
  publish(messages);
  ASSERT_TRUE(wait_for(1));
  triggerd_->kill();
  triggerd_->start();
  ASSERT_TRUE(wait_for(messages.size()));
  const auto all_there = [&] {
    std::vector<std::string> all = handled();
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all.size() == messages.size();
  };
  EXPECT_TRUE(eventually(all_there));
}

}  // namespace
}  // namespace triggerd::test
