// From a real server to a service: every QoS, payload and flag, filters, sessions, order, load.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "integration/recorded.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"
#include "support/scripted_broker.hpp"
#include "support/triggerd_process.hpp"

namespace triggerd::test {
namespace {

class DeliveryTest : public testing::Test {
 protected:
  std::filesystem::path file(const std::string& name = "records") const { return dir_ / name; }

  TempDir dir_;
};

TEST_F(DeliveryTest, EveryQosAndPayloadReachesTheService) {
  MosquittoServer server;
  TriggerdProcess triggerd(runtime_table() + alias_table("a", server.port()) +
                           trigger_table("t", "a", "{ filter = \"in/#\", qos = 2 }", file()));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();

  std::string large(1'000'000, '\0');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 7);
  const std::vector<std::string> payloads{"", "text", std::string("a\0b\0", 4), large};
  TestClient client(server.port());
  for (int qos = 0; qos <= 2; ++qos) {
    for (std::size_t i = 0; i < payloads.size(); ++i) {
      ASSERT_TRUE(client.publish(fmt::format("in/{}/{}", qos, i), payloads[i], qos));
    }
  }
  ASSERT_TRUE(wait_for_records(file(), 12)) << triggerd.output();
  const auto got = records(file());
  ASSERT_EQ(got.size(), 12U);
  for (const Record& record : got) {
    const auto qos = static_cast<unsigned>(record.topic[3] - '0');
    const auto which = static_cast<std::size_t>(record.topic[5] - '0');
    EXPECT_EQ(record.qos, qos);
    EXPECT_EQ(record.size, payloads[which].size());
    EXPECT_EQ(record.hash, fnv1a(payloads[which])) << record.topic;
    EXPECT_FALSE(record.retain);
    EXPECT_FALSE(record.dup);
    EXPECT_EQ(record.attempt, 1U);
  }
}

TEST_F(DeliveryTest, RetainedMessagesSaySo) {
  MosquittoServer server;
  {
    TestClient client(server.port());
    ASSERT_TRUE(client.publish("kept", "before", 1, true));
  }
  TriggerdProcess triggerd(runtime_table() + alias_table("a", server.port()) +
                           trigger_table("t", "a", "\"kept\"", file()));
  triggerd.start();
  ASSERT_TRUE(wait_for_records(file(), 1)) << triggerd.output();
  EXPECT_TRUE(records(file())[0].retain);
  EXPECT_EQ(records(file())[0].hash, fnv1a("before"));
}

TEST_F(DeliveryTest, ADuplicateSaysSo) {
  ScriptedBroker broker;
  TriggerdProcess triggerd(runtime_table() + alias_table("a", broker.port()) +
                           trigger_table("t", "a", "\"x\"", file()));
  triggerd.start();
  const auto subscribe = broker.wait_for<packet::Subscribe>();
  ASSERT_TRUE(subscribe) << triggerd.output();
  packet::Publish publish;
  publish.topic = "x";
  publish.payload = "again";
  publish.qos = 1;
  publish.dup = true;
  publish.packet_id = 7;
  broker.send(subscribe->connection, Reply().send(publish));
  ASSERT_TRUE(wait_for_records(file(), 1)) << triggerd.output();
  EXPECT_TRUE(records(file())[0].dup);
  const auto ack = broker.wait_for<packet::PubAck>();
  ASSERT_TRUE(ack);
  EXPECT_EQ(ack->packet.packet_id, 7);
}

TEST_F(DeliveryTest, RetainedSkipAndOnce) {
  MosquittoServer server;
  TestClient client(server.port());
  ASSERT_TRUE(client.publish("r/1", "one", 1, true));
  ASSERT_TRUE(client.publish("r/2", "two", 1, true));
  TriggerdProcess triggerd(
      runtime_table() + alias_table("a", server.port()) +
      trigger_table("skips", "a", "\"r/#\"", file("skip"), "retained = \"skip\"") +
      trigger_table("onces", "a", "\"r/#\"", file("once"), "retained = \"once\"") +
      trigger_table("all", "a", "\"r/#\"", file("all")));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  ASSERT_TRUE(wait_for_records(file("once"), 2));
  ASSERT_TRUE(wait_for_records(file("all"), 2));
  ASSERT_EQ(triggerd.stop(), (Exit{0, 0})) << triggerd.output();

  ASSERT_TRUE(client.publish("r/2", "new", 1, true));  // the session keeps it, and retains it too
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  ASSERT_TRUE(client.publish("r/end", "end", 1));
  for (const char* name : {"skip", "once", "all"}) {
    ASSERT_TRUE(eventually([&] {
      const auto got = records(file(name), "end");
      return !got.empty() && got.back().topic == "r/end";
    })) << name;
  }
  const auto count = [&](const char* name, const char* topic, const char* payload) {
    const auto got = records(file(name));
    return std::count_if(got.begin(), got.end(), [&](const Record& r) {
      return r.retain && r.topic == topic && r.hash == fnv1a(payload);
    });
  };
  EXPECT_EQ(count("skip", "r/1", "one") + count("skip", "r/2", "new"), 0);
  EXPECT_EQ(count("once", "r/1", "one"), 1) << "once over both runs";
  EXPECT_EQ(count("once", "r/2", "new"), 1) << "a new payload is news";
  EXPECT_EQ(count("all", "r/1", "one"), 2) << "every subscription brings it again";
}

TEST_F(DeliveryTest, WildcardsMatchAsMqttSays) {
  MosquittoServer server({.extra_config = "sys_interval 1"});
  TriggerdProcess triggerd(runtime_table() + alias_table("a", server.port()) +
                           trigger_table("plus", "a", "\"a/+/c\"", file("plus")) +
                           trigger_table("hash", "a", "\"a/#\"", file("hash")) +
                           trigger_table("all", "a", "\"#\"", file("all")) +
                           trigger_table("sys", "a", "\"$SYS/broker/version\"", file("sys")));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  TestClient client(server.port());
  for (const char* topic : {"a", "a/b", "a/b/c", "a//c", "a/b/c/d", "b/a/c", "end/a"}) {
    ASSERT_TRUE(client.publish(topic, "x"));
  }
  ASSERT_TRUE(client.publish("a/end/c", "x"));
  const auto topics = [&](const char* name) {
    std::vector<std::string> found;
    for (const Record& record : records(file(name), "end")) found.push_back(record.topic);
    return found;
  };
  for (const char* name : {"plus", "hash", "all"}) {
    ASSERT_TRUE(eventually([&] {
      const auto got = topics(name);
      return !got.empty() && got.back() == "a/end/c";
    })) << name;
  }
  EXPECT_EQ(topics("plus"), (std::vector<std::string>{"a/b/c", "a//c", "a/end/c"}));
  EXPECT_EQ(topics("hash"),
            (std::vector<std::string>{"a", "a/b", "a/b/c", "a//c", "a/b/c/d", "a/end/c"}));
  EXPECT_EQ(topics("all").size(), 8U) << "# does not match $SYS";
  ASSERT_TRUE(wait_for_records(file("sys"), 1));
}

TEST_F(DeliveryTest, OverlappingFiltersOfTwoTriggersGetAMessageEach) {
  MosquittoServer server;
  TriggerdProcess triggerd(runtime_table() + alias_table("a", server.port()) +
                           trigger_table("one", "a", "\"x/#\", \"x/y\"", file("one")) +
                           trigger_table("two", "a", "\"x/y\"", file("two")));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  TestClient client(server.port());
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(client.publish("x/y", std::to_string(i), 1));
  ASSERT_TRUE(client.publish("x/y", "end", 1));
  for (const char* name : {"one", "two"}) {
    ASSERT_TRUE(eventually([&] {
      const auto got = records(file(name), "end");
      return !got.empty() && got.back().hash == fnv1a("end");
    }));
    EXPECT_EQ(records(file(name)).size(), 21U) << name;
  }
}

TEST_F(DeliveryTest, APersistentSessionKeepsWhatCameMeanwhileACleanOneDoesNot) {
  MosquittoServer server;
  TriggerdProcess triggerd(runtime_table() + alias_table("keep", server.port()) +
                           alias_table("clean", server.port(), "clean_session = true") +
                           trigger_table("kept", "keep", "\"x\"", file("kept")) +
                           trigger_table("fresh", "clean", "\"x\"", file("fresh")));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  ASSERT_EQ(triggerd.stop(), (Exit{0, 0})) << triggerd.output();
  TestClient client(server.port());
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(client.publish("x", std::to_string(i), 1));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  EXPECT_EQ(triggerd.output().find("session.lost"), std::string::npos);
  ASSERT_TRUE(client.publish("x", "end", 1));
  ASSERT_TRUE(wait_for_records(file("kept"), 101)) << triggerd.output();
  ASSERT_TRUE(wait_for_records(file("fresh"), 1));
  const auto kept = records(file("kept"));
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(kept[static_cast<std::size_t>(i)].hash, fnv1a(std::to_string(i)));
  }
  ASSERT_EQ(records(file("fresh")).size(), 1U);
  EXPECT_EQ(records(file("fresh"))[0].hash, fnv1a("end"));
}

TEST_F(DeliveryTest, TwoAliasesOfTwoServers) {
  MosquittoServer east;
  MosquittoServer west;
  TriggerdProcess triggerd(runtime_table() + alias_table("east", east.port()) +
                           alias_table("west", west.port()) +
                           trigger_table("e", "east", "\"x\"", file("e")) +
                           trigger_table("w", "west", "\"x\"", file("w")));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  ASSERT_TRUE(TestClient(east.port()).publish("x", "from the east"));
  ASSERT_TRUE(TestClient(west.port()).publish("x", "from the west"));
  ASSERT_TRUE(wait_for_records(file("e"), 1));
  ASSERT_TRUE(wait_for_records(file("w"), 1));
  EXPECT_EQ(records(file("e"))[0].hash, fnv1a("from the east"));
  EXPECT_EQ(records(file("w"))[0].hash, fnv1a("from the west"));
}

TEST_F(DeliveryTest, OrderHoldsPerTopicWithEightWorkersAndRandomDelays) {
  MosquittoServer server;
  TriggerdProcess triggerd(runtime_table() + alias_table("a", server.port()) +
                           trigger_table("t", "a", "\"lane/#\"", file(),
                                         "concurrency = 8\norder = \"topic\"", "delay_ms = 8"));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  constexpr int kLanes = 20;
  constexpr int kEach = 40;
  TestClient client(server.port());
  for (int i = 0; i < kEach; ++i) {
    for (int lane = 0; lane < kLanes; ++lane) {
      client.publish_later(fmt::format("lane/{}", lane), std::to_string(i), 1);
    }
  }
  ASSERT_TRUE(client.wait_published());
  ASSERT_TRUE(wait_for_records(file(), kLanes * kEach)) << triggerd.output();

  // In the file as written: within a topic a call begins only after the one before has ended, and
  // payloads ascend. Over all topics calls do overlap, or the eight workers were not used.
  std::ifstream in(file());
  std::map<std::string, int> next;
  std::set<std::string> open;
  std::size_t most_open = 0;
  for (std::string line; std::getline(in, line);) {
    Record r;
    std::istringstream(line) >> r.what >> r.topic >> r.qos >> r.retain >> r.dup >> r.attempt >>
        r.size >> r.hash;
    if (r.what == "begin") {
      ASSERT_TRUE(open.insert(r.topic).second) << r.topic << " overlaps";
      ASSERT_EQ(r.hash, fnv1a(std::to_string(next[r.topic]))) << r.topic;
      most_open = std::max(most_open, open.size());
    } else {
      open.erase(r.topic);
      ++next[r.topic];
    }
  }
  EXPECT_GT(most_open, 4U);
  EXPECT_LE(most_open, 8U);
}

TEST_F(DeliveryTest, TenThousandMessagesWithAHundredTriggers) {
  MosquittoServer server;
  std::string config = runtime_table() + alias_table("a", server.port());
  for (int i = 0; i < 100; ++i) {
    config += trigger_table(fmt::format("t{}", i), "a", fmt::format("\"load/{}/#\"", i),
                            file(fmt::format("t{}", i)));
  }
  TriggerdProcess triggerd(config);
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running(Millis(60'000))) << triggerd.output();
  TestClient client(server.port());
  for (int n = 0; n < 100; ++n) {
    for (int i = 0; i < 100; ++i) {
      client.publish_later(fmt::format("load/{}/x", i), std::to_string(n), n % 3);
    }
  }
  ASSERT_TRUE(client.wait_published(Millis(60'000)));
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(wait_for_records(file(fmt::format("t{}", i)), 100, Millis(60'000))) << i;
    EXPECT_EQ(records(file(fmt::format("t{}", i))).size(), 100U);
  }
  ASSERT_EQ(triggerd.stop(), (Exit{0, 0}));
  EXPECT_TRUE(triggerd.process().wait_for_line("10000 messages received, 10000 handled"));
}

TEST_F(DeliveryTest, AFullQueuePausesItsTriggerAloneAndLosesNothing) {
  MosquittoServer server;
  TriggerdProcess triggerd(runtime_table() + alias_table("a", server.port()) +
                           trigger_table("slow", "a", "\"x\"", file("slow"), "queue_capacity = 20",
                                         waiting_until(dir_ / "go")) +
                           trigger_table("quick", "a", "\"x\"", file("quick")));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  TestClient client(server.port());
  for (int i = 0; i < 60; ++i) client.publish_later("x", fmt::format("wait {}", i), 1);
  ASSERT_TRUE(client.wait_published());
  ASSERT_TRUE(wait_for_records(file("quick"), 60));
  EXPECT_TRUE(triggerd.wait_for_event("trigger.paused", {"trigger=slow"})) << triggerd.output();
  std::ofstream(dir_ / "go") << "go";
  ASSERT_TRUE(wait_for_records(file("slow"), 60)) << triggerd.output();
  EXPECT_EQ(records(file("slow")).size(), 60U)
      << "the pause costs no connection, so none comes twice";
  EXPECT_TRUE(triggerd.wait_for_event("trigger.resumed", {"trigger=slow"}));
  EXPECT_EQ(triggerd.output().find("receiving pauses: queue_capacity (1000)"), std::string::npos);
}

}  // namespace
}  // namespace triggerd::test
