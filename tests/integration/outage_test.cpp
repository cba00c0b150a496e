// What services need is away for a while: nothing is wrong with the messages that wait.
#include <gtest/gtest.h>

#include "integration/recorded.hpp"
#include "support/http_server.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"
#include "support/triggerd_process.hpp"

namespace triggerd::test {
namespace {

// One attempt more than none, and hardly any time between them.
constexpr const char* kImpatient =
    "retry = { max_attempts = 2, interval = \"10ms\", max_interval = \"20ms\" }\n";

class OutageTest : public testing::TestWithParam<const char*> {
 protected:
  // "copy" hands what comes at "plant" on to "cloud".
  std::string config() const {
    return runtime_table() + "[log]\nlevel = \"debug\"\n" + alias_table("plant", plant_.port()) +
           alias_table("cloud", cloud_.port()) +
           fmt::format(
               "[[triggers]]\nname = \"copy\"\nalias = \"plant\"\ntopics = [\"x/#\"]\n"
               "service = \"republish\"\n{}{}[triggers.settings]\ntopic = \"copy/{{topic}}\"\n"
               "alias = \"cloud\"\n",
               kImpatient, GetParam());
  }
  void publish(int count) {
    TestClient client(plant_.port());
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(client.publish(fmt::format("x/{}", i), "reading"));
    }
  }
  bool said(const TriggerdProcess& triggerd, const std::string& event) const {
    return triggerd.output().find(event) != std::string::npos;
  }

  MosquittoServer plant_;
  MosquittoServer cloud_;
};

TEST_P(OutageTest, OfTheServerPublishedToUsesUpNoAttempts) {
  TriggerdProcess triggerd(config());
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  cloud_.stop();
  ASSERT_TRUE(triggerd.wait_for_event("connection.failed", {"alias=cloud"})) << triggerd.output();
  publish(20);
  ASSERT_TRUE(triggerd.wait_for_event("trigger.unavailable", {"trigger=copy", "republish"}))
      << triggerd.output();
  std::size_t tried = 0;
  for (int i = 0; i < 10; ++i) {
    const auto line = triggerd.wait_for_event("message.deferred", {"trigger=copy"}, tried);
    ASSERT_TRUE(line) << triggerd.output();
    tried = line->index + 1;
  }
  cloud_.start();
  TestClient cloud(cloud_.port());
  ASSERT_TRUE(cloud.subscribe("copy/#"));
  ASSERT_TRUE(triggerd.wait_for_event("trigger.available", {"trigger=copy"})) << triggerd.output();
  ASSERT_TRUE(triggerd.wait_for_event("message.ok", {"x/19"})) << triggerd.output();
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
  EXPECT_FALSE(said(triggerd, "message.dead_letter")) << triggerd.output();
  EXPECT_FALSE(said(triggerd, "message.retry")) << triggerd.output();
}

// Each start finds its backlog before its connections are there.
TEST_P(OutageTest, AndManyKillsUseUpNoAttempts) {
  TriggerdProcess triggerd(config());
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  cloud_.stop();
  ASSERT_TRUE(triggerd.wait_for_event("connection.failed", {"alias=cloud"})) << triggerd.output();
  publish(5);
  ASSERT_TRUE(triggerd.wait_for_event("message.deferred")) << triggerd.output();
  for (int i = 0; i < 6; ++i) {
    triggerd.kill();
    EXPECT_FALSE(said(triggerd, "message.dead_letter")) << triggerd.output();
    triggerd.start();
    ASSERT_TRUE(triggerd.wait_for_event("message.deferred")) << triggerd.output();
  }
  cloud_.start();
  ASSERT_TRUE(triggerd.wait_for_event("message.ok", {"x/4"})) << triggerd.output();
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
  EXPECT_FALSE(said(triggerd, "message.dead_letter")) << triggerd.output();
}

// A stop tries once, and leaves the rest for the next start; it does not wait for drain_timeout,
// which is further away than the test's patience.
TEST_P(OutageTest, DoesNotHoldUpAStop) {
  std::string text = config();
  const std::string name = "name = \"test\"\n";
  text.replace(text.find(name), name.size(), name + "drain_timeout = \"1h\"\n");
  TriggerdProcess triggerd(text);
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  cloud_.stop();
  ASSERT_TRUE(triggerd.wait_for_event("connection.failed", {"alias=cloud"})) << triggerd.output();
  publish(3);
  ASSERT_TRUE(triggerd.wait_for_event("trigger.unavailable")) << triggerd.output();
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0})) << triggerd.output();
  cloud_.start();
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_for_event("message.ok", {"x/2"})) << triggerd.output();
  EXPECT_FALSE(said(triggerd, "message.dead_letter"));
}

std::string name_of(const testing::TestParamInfo<const char*>& info) {
  static constexpr const char* kNames[] = {"InOrder", "Isolated", "Concurrent", "Suspending"};
  return kNames[info.index];
}

INSTANTIATE_TEST_SUITE_P(, OutageTest,
                         testing::Values("", "isolation = \"process\"\n",
                                         "concurrency = 4\norder = \"topic\"\n",
                                         "on_exhausted = \"suspend\"\n"),
                         name_of);

TEST(HttpOutageTest, OfTheApplicationUsesUpNoAttempts) {
  MosquittoServer server;
  ScriptedHttpServer application;
  TriggerdProcess triggerd(
      runtime_table() + "[log]\nlevel = \"debug\"\n" + alias_table("plant", server.port()) +
      fmt::format("[[triggers]]\nname = \"hand-on\"\nalias = \"plant\"\ntopics = [\"x\"]\n"
                  "service = \"http-forward\"\n{}[triggers.settings]\nurl = \"{}\"\n",
                  kImpatient, application.url()));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  application.stop();
  ASSERT_TRUE(TestClient(server.port()).publish("x", "reading"));
  ASSERT_TRUE(triggerd.wait_for_event("trigger.unavailable", {"trigger=hand-on", "no answer from"}))
      << triggerd.output();
  std::size_t tried = 0;
  for (int i = 0; i < 5; ++i) {
    const auto line = triggerd.wait_for_event("message.deferred", {}, tried);
    ASSERT_TRUE(line) << triggerd.output();
    tried = line->index + 1;
  }
  application.start();
  ASSERT_TRUE(triggerd.wait_for_event("message.ok")) << triggerd.output();
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
  EXPECT_EQ(triggerd.output().find("message.dead_letter"), std::string::npos) << triggerd.output();
}

}  // namespace
}  // namespace triggerd::test
