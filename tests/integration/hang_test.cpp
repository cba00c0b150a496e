// Services that hang in start, stop or destroy, or do not start yet: the others go on, and the
// runtime ends in time.
#include <gtest/gtest.h>

#include <fstream>

#include "integration/recorded.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"
#include "support/triggerd_process.hpp"

namespace triggerd::test {
namespace {

class HangTest : public testing::Test {
 protected:
  std::filesystem::path file(const std::string& name = "records") const { return dir_ / name; }
  // Whether the server has a subscription of this trigger.
  bool subscribed(const std::string& trigger) {
    return eventually([&] {
      return server_.process().output().find("Sending SUBACK to client-a." + trigger) !=
             std::string::npos;
    });
  }

  TempDir dir_;
  MosquittoServer server_{{.extra_config = "log_type all\n"}};
};

struct Hang {
  const char* mode;
  const char* call;
};

class HangingService : public HangTest, public testing::WithParamInterface<Hang> {};

TEST_P(HangingService, IsLeftAloneAtTheEnd) {
  TriggerdProcess triggerd(
      runtime_table("drain_timeout = \"2s\"") + alias_table("a", server_.port()) +
      trigger_table("bad", "a", "\"x\"", file("bad"), "service = \"recorder:misbehave\"",
                    fmt::format("mode = \"{}\"", GetParam().mode)) +
      trigger_table("good", "a", "\"x\"", file("good")));
  triggerd.start();
  // One that hangs in its start does not keep the others from receiving.
  ASSERT_TRUE(subscribed("good")) << triggerd.output();
  if (GetParam().mode != std::string("hang-start")) {
    ASSERT_TRUE(triggerd.wait_for_event("trigger.running", {"trigger=bad"})) << triggerd.output();
    ASSERT_TRUE(triggerd.wait_for_event("trigger.running", {"trigger=good"})) << triggerd.output();
    ASSERT_TRUE(TestClient(server_.port()).publish("x", "payload"));
    ASSERT_TRUE(wait_for_records(file("good"), 1)) << triggerd.output();
  }
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0})) << triggerd.output();
  const std::string said =
      fmt::format("{} of service \"recorder:misbehave\" has not returned within", GetParam().call);
  EXPECT_NE(triggerd.output().find(said), std::string::npos) << triggerd.output();
  EXPECT_NE(triggerd.output().find("runtime.stopped"), std::string::npos) << triggerd.output();
}

INSTANTIATE_TEST_SUITE_P(, HangingService,
                         testing::Values(Hang{"hang-start", "start"}, Hang{"hang-stop", "stop"},
                                         Hang{"hang-destroy", "destroy"}),
                         [](const auto& info) { return std::string(info.param.call); });

class HangingCreate : public HangTest, public testing::WithParamInterface<const char*> {};

TEST_P(HangingCreate, EndsWithASignalThatComesWhileTheRuntimeStarts) {
  const std::filesystem::path hangs = dir_ / "hangs";
  TriggerdProcess triggerd(
      runtime_table("drain_timeout = \"4s\"") + alias_table("a", server_.port()) +
      trigger_table("bad", "a", "\"x\"", file(), fmt::format("isolation = \"{}\"", GetParam()),
                    fmt::format("mode = \"hang-create\"\nflag = \"{}\"", hangs.string())));
  triggerd.start();
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(hangs); })) << triggerd.output();
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0})) << triggerd.output();
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(9));
  EXPECT_NE(triggerd.output().find("runtime.stopped"), std::string::npos) << triggerd.output();
}

INSTANTIATE_TEST_SUITE_P(, HangingCreate, testing::Values("none", "process"),
                         [](const auto& info) { return std::string("Isolation_") + info.param; });

// A clean session: its server keeps nothing for it.
TEST_F(HangTest, AServiceThatDoesNotStartIsTriedAgainAndMissesNothing) {
  const std::filesystem::path healed = dir_ / "healed";
  TriggerdProcess triggerd(
      runtime_table() + alias_table("a", server_.port(), "clean_session = true") +
      trigger_table("t", "a", "\"x\"", file(), {},
                    fmt::format("mode = \"no-start\"\nflag = \"{}\"", healed.string())));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_for_event(
      "trigger.not_running", {"trigger=t", "the database is away", "it is tried again in"}))
      << triggerd.output();
  ASSERT_TRUE(subscribed("t")) << triggerd.output();
  TestClient client(server_.port());
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(client.publish("x", std::to_string(i), i % 2));
  EXPECT_EQ(triggerd.output().find("trigger.running"), std::string::npos) << triggerd.output();
  std::ofstream(healed) << "yes";
  ASSERT_TRUE(triggerd.wait_for_event("trigger.running", {"trigger=t"})) << triggerd.output();
  EXPECT_TRUE(wait_for_records(file(), 5)) << triggerd.output();
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
}

}  // namespace
}  // namespace triggerd::test
