// kafka in the runtime, with librdkafka's mock cluster going away under traffic, and the example of
// its page. By itself: plugins/kafka/kafka_test.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/kafka_cluster.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"
#include "support/triggerd_process.hpp"

namespace triggerd::test {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

class KafkaRuntimeTest : public testing::Test {
 protected:
  std::string config(const std::string& trigger = {}, const std::string& settings = {}) const {
    return "[aliases.a]\nhost = \"tcp://127.0.0.1:" + std::to_string(server_.port()) +
           "\"\n\n[[triggers]]\nname = \"t\"\nalias = \"a\"\n"
           "topics = [{ filter = \"in/#\", qos = 1 }]\nservice = \"kafka\"\nconcurrency = 4\n"
           "order = \"topic\"\n"
           "retry = { max_attempts = 1000, interval = \"20ms\", max_interval = \"200ms\" }\n" +
           trigger + "[triggers.settings]\nbrokers = [\"" + cluster_.bootstrap() +
           "\"]\ntopic = \"out\"\nkey = \"{topic:2}\"\n" + settings;
  }
  std::set<std::string> values() const {
    std::set<std::string> all;
    for (const KafkaRecord& record : cluster_.records("out")) {
      all.insert(record.value.value_or(""));
    }
    return all;
  }
  bool wait_for(std::size_t count) const {
    return eventually([&] { return values().size() >= count; }, 120s);
  }
  static void publish(TestClient& client, int from, int to) {
    for (int i = from; i < to; ++i) {
      client.publish_later("in/" + std::to_string(i % 50), std::to_string(i));
    }
    ASSERT_TRUE(client.wait_published());
  }

  KafkaCluster cluster_;
  MosquittoServer server_;
};

TEST_F(KafkaRuntimeTest, NothingIsMissingWhenTheClusterGoesAwayAndTheRuntimeIsKilled) {
  TriggerdProcess triggerd(config());
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  TestClient client(server_.port());
  publish(client, 0, 1000);
  cluster_.set_down();
  publish(client, 1000, 2000);
  cluster_.set_up();
  publish(client, 2000, 3000);
  triggerd.kill();
  publish(client, 3000, 4000);
  triggerd.start();
  EXPECT_TRUE(wait_for(4000)) << triggerd.output();
  EXPECT_EQ(triggerd.stop(), Exit{}) << triggerd.output();
  EXPECT_EQ(values().size(), 4000U);
}

TEST_F(KafkaRuntimeTest, WithoutFaultsEachIsThereOnceAndInOrder) {
  TriggerdProcess triggerd(config());
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  TestClient client(server_.port());
  publish(client, 0, 2000);
  ASSERT_TRUE(wait_for(2000)) << triggerd.output();
  EXPECT_EQ(triggerd.stop(), Exit{}) << triggerd.output();
  std::map<std::string, std::vector<int>> of_key;
  const auto records = cluster_.records("out");
  EXPECT_EQ(records.size(), 2000U);
  for (const KafkaRecord& record : records) {
    of_key[record.key.value_or("")].push_back(std::stoi(record.value.value_or("")));
  }
  EXPECT_EQ(of_key.size(), 50U);
  for (const auto& [key, numbers] : of_key) {
    EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end())) << key;
  }
}

TEST_F(KafkaRuntimeTest, StopsWithoutABrokerAndLosesNothing) {
  cluster_.set_down();
  TriggerdProcess triggerd(config());
  triggerd.write_config(config() +
                        "[runtime]\nname = \"r\"\nstate_dir = \"var\"\nplugin_dirs = [\"" +
                        TriggerdProcess::plugin_dir().string() +
                        "\"]\ndrain_timeout = \"3s\"\n[admin]\nlisten = \"127.0.0.1:0\"\n");
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  TestClient client(server_.port());
  publish(client, 0, 300);
  EXPECT_EQ(triggerd.stop(120s), Exit{}) << triggerd.output();
  cluster_.set_up();
  triggerd.start();
  EXPECT_TRUE(wait_for(300)) << triggerd.output();
  EXPECT_EQ(triggerd.stop(), Exit{}) << triggerd.output();
}

TEST_F(KafkaRuntimeTest, AnOutageCountsNoAttemptAndMakesNoDeadLetter) {
  TriggerdProcess triggerd(config("", "timeout_seconds = 1\n"));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  TestClient client(server_.port());
  publish(client, 0, 10);
  ASSERT_TRUE(wait_for(10)) << triggerd.output();
  cluster_.set_down();
  publish(client, 10, 20);
  ASSERT_TRUE(triggerd.wait_for_event("trigger.unavailable", {"not acknowledged by Kafka in 1 s"}))
      << triggerd.output();
  cluster_.set_up();
  EXPECT_TRUE(wait_for(20)) << triggerd.output();
  EXPECT_TRUE(triggerd.wait_for_event("trigger.available")) << triggerd.output();
  EXPECT_EQ(triggerd.output().find("message.dead_letter"), std::string::npos);
  EXPECT_EQ(triggerd.stop(), Exit{}) << triggerd.output();
}

TEST_F(KafkaRuntimeTest, WhatKafkaRefusesIsADeadLetterWithKafkasReason) {
  TriggerdProcess triggerd(config());
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  TestClient client(server_.port());
  publish(client, 0, 1);
  ASSERT_TRUE(wait_for(1)) << triggerd.output();
  cluster_.fail_requests(kProduceRequest, {RD_KAFKA_RESP_ERR_INVALID_RECORD});
  publish(client, 1, 2);
  ASSERT_TRUE(triggerd.wait_for_event("message.dead_letter", {"INVALID_RECORD"}))
      << triggerd.output();
  EXPECT_EQ(triggerd.stop(), Exit{}) << triggerd.output();
}

// In a process of its own, with the system calls that one may make.
TEST_F(KafkaRuntimeTest, RunsIsolated) {
  TriggerdProcess triggerd(config("isolation = \"process\"\n"));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  TestClient client(server_.port());
  publish(client, 0, 500);
  EXPECT_TRUE(wait_for(500)) << triggerd.output();
  EXPECT_EQ(triggerd.stop(), Exit{}) << triggerd.output();
  EXPECT_EQ(values().size(), 500U);
}

// Two builds are loaded at a time, each with threads of librdkafka's.
TEST_F(KafkaRuntimeTest, AnotherBuildTakesOverUnderTraffic) {
  TriggerdProcess triggerd(config());
  const fs::path plugin = triggerd.dir() / "plugins/kafka.so";
  fs::create_directory(plugin.parent_path());
  fs::copy_file(TriggerdProcess::plugin_dir() / "kafka.so", plugin);
  triggerd.write_config(
      config() +
      "[runtime]\nname = \"r\"\nstate_dir = \"var\"\nplugin_dirs = [\"plugins\"]\n"
      "hot_reload = true\n[admin]\nlisten = \"127.0.0.1:0\"\n");
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  TestClient client(server_.port());
  int sent = 0;
  for (int generation = 2; generation <= 4; ++generation) {
    publish(client, sent, sent + 500);
    sent += 500;
    // What is behind the end of a library is read by nobody, and makes another file of it.
    const fs::path next = triggerd.dir() / "next.so";
    fs::copy_file(plugin, next);
    std::ofstream(next, std::ios::app) << generation;
    fs::rename(next, plugin);
    for (int i = 0; i < 500; ++i, ++sent) {
      client.publish_later("in/" + std::to_string(sent % 50), std::to_string(sent));
    }
    ASSERT_TRUE(client.wait_published());
    ASSERT_TRUE(
        triggerd.wait_for_event("plugin.reloaded", {"generation=" + std::to_string(generation)}))
        << triggerd.output();
  }
  EXPECT_TRUE(wait_for(static_cast<std::size_t>(sent))) << triggerd.output();
  EXPECT_EQ(triggerd.stop(), Exit{}) << triggerd.output();
  EXPECT_EQ(cluster_.records("out").size(), static_cast<std::size_t>(sent)) << "once each";
}

TEST_F(KafkaRuntimeTest, CheckSaysWhatIsWrongAndWhereAndNeedsNoBroker) {
  cluster_.set_down();
  TriggerdProcess triggerd(config());
  const CheckResult good = triggerd.check();
  EXPECT_EQ(good.exit, Exit{}) << good.output;
  triggerd.write_config(config("", "options = { \"linger.ms\" = 5 }\n"));
  const CheckResult bad = triggerd.check();
  EXPECT_NE(bad.exit, Exit{});
  EXPECT_NE(bad.output.find("triggers.toml:"), std::string::npos) << bad.output;
  EXPECT_NE(
      bad.output.find("setting \"options.linger.ms\" must not be set here; see linger_seconds"),
      std::string::npos)
      << bad.output;
}

// ---- its page ----

class KafkaPageTest : public KafkaRuntimeTest {
 protected:
  KafkaPageTest() {
    std::ifstream file(REPOSITORY "/docs/guides/kafka.md");
    page_.assign(std::istreambuf_iterator<char>(file), {});
  }
  // What is between the first fence of this language and its end.
  std::string block(const std::string& language) const {
    const std::string fence = "\n```" + language + "\n";
    const std::size_t from = page_.find(fence);
    if (from == std::string::npos) throw std::runtime_error("no block " + language);
    const std::size_t begin = from + fence.size();
    return page_.substr(begin, page_.find("\n```", begin) + 1 - begin);
  }
  static std::string replaced(std::string text, const std::string& what, const std::string& by) {
    const std::size_t at = text.find(what);
    if (at == std::string::npos) throw std::runtime_error("no " + what + " in:\n" + text);
    return text.replace(at, what.size(), by);
  }

  std::string page_;
};

// Its configuration runs, its first command's message is published, its second command is run, and
// prints what the page says.
TEST_F(KafkaPageTest, ItsExampleDoesWhatThePageSays) {
  std::string text =
      replaced(block("toml"), "127.0.0.1:1883", "127.0.0.1:" + std::to_string(server_.port()));
  TriggerdProcess triggerd(replaced(text, "127.0.0.1:9092", cluster_.bootstrap()));
  const CheckResult checked = triggerd.check();
  EXPECT_EQ(checked.exit, Exit{}) << checked.output;
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();

  std::smatch said;
  const std::string commands = block("sh");
  ASSERT_TRUE(std::regex_search(commands, said,
                                std::regex("mosquitto_pub -q 1 -t (\\S+) -m '([^']*)'\n"
                                           "kcat -b 127.0.0.1:9092 (.*) -f '([^']*)'\n")))
      << commands;
  TestClient client(server_.port());
  ASSERT_TRUE(client.publish(said[1], said[2].str()));
  ASSERT_TRUE(eventually([&] { return cluster_.records("plant.temperature").size() == 1; }))
      << triggerd.output();
  std::vector<std::string> arguments;
  std::istringstream words(said[3]);
  for (std::string word; words >> word;) arguments.push_back(word);
  arguments.insert(arguments.end(), {"-f", said[4]});
  // An id is of its message alone.
  const std::regex id("id=[^,]+");
  EXPECT_EQ(std::regex_replace(kcat(cluster_.bootstrap(), arguments), id, "id="),
            std::regex_replace(block("text"), id, "id="));
  EXPECT_EQ(triggerd.stop(), Exit{}) << triggerd.output();
}

TEST_F(KafkaPageTest, EverySettingAndMetricIsOnIt) {
  const auto source = [](const std::string& name) {
    std::ifstream file(REPOSITORY "/plugins/kafka/" + name);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const auto names = [](const std::string& text, const char* pattern) {
    const std::regex regex(pattern);
    std::vector<std::string> found;
    for (std::sregex_iterator at(text.begin(), text.end(), regex), end; at != end; ++at) {
      found.push_back((*at)[1]);
    }
    return found;
  };
  const std::string settings = source("settings.cpp");
  const std::size_t known = settings.find("require_known(");
  const auto keys =
      names(settings.substr(known, settings.find("})", known) - known), "\"([a-z_]+)\"");
  EXPECT_EQ(keys.size(), 20U);
  for (const std::string& key : keys) {
    EXPECT_TRUE(std::regex_search(page_, std::regex("\n\\| [^|]*`" + key + "`[^|]* \\|"))) << key;
  }
  const auto metrics =
      names(source("producer.cpp") + source("statistics.cpp"), "\"(kafka_[a-z0-9_]+)\"");
  EXPECT_EQ(metrics.size(), 11U);
  for (const std::string& metric : metrics) {
    EXPECT_NE(page_.find("`" + metric + "`"), std::string::npos) << metric;
  }
}

}  // namespace
}  // namespace triggerd::test
