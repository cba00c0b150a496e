// The runtime as a library, as its administrator will use it: triggers are disabled and enabled,
// dead letters listed, edited, replayed and dropped, while messages come from a real server.
#include <gtest/gtest.h>

#include "config/load.hpp"
#include "integration/recorded.hpp"
#include "support/capture_log.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"
#include "trigger/runtime.hpp"

namespace triggerd::test {
namespace {

class AdministrationTest : public testing::Test {
 protected:
  std::filesystem::path file() const { return dir_ / "records"; }

  // A trigger "t" on "x" with `more` in its table.
  void start(const std::string& more, const std::string& settings) {
    const std::filesystem::path toml = dir_ / "triggers.toml";
    std::ofstream(toml) << runtime_table() + alias_table("a", server_.port()) +
                               trigger_table("t", "a", "\"x\"", file(), more, settings);
    auto loaded = config::load(toml, config::process_environment());
    ASSERT_TRUE(loaded);
    config_ = std::move(*loaded);
    std::filesystem::create_directories(dir_ / "state");
    start_again();
  }
  void start_again() {
    runtime_ = std::make_unique<trigger::Runtime>(config_, dir_ / "state", log_);
    ASSERT_TRUE(runtime_->prepare());
    ASSERT_TRUE(runtime_->start());
  }
  bool wait_for_log(const std::string& event, std::size_t count = 1) {
    return eventually([&] { return log_.lines(event).size() >= count; });
  }
  void TearDown() override {
    if (runtime_) {
      EXPECT_TRUE(runtime_->stop());
    }
  }

  TempDir dir_;
  MosquittoServer server_;
  // Kept to the end of the process: the MQTT library's threads may still have something to say.
  static CaptureLog& new_log() {
    static auto* const kept = new std::vector<std::unique_ptr<CaptureLog>>;
    return *kept->emplace_back(std::make_unique<CaptureLog>());
  }
  CaptureLog& log_ = new_log();
  config::Config config_;
  std::unique_ptr<trigger::Runtime> runtime_;
};

TEST_F(AdministrationTest, ADisabledTriggerHandlesNothingUntilItIsEnabled) {
  start("", "delay_ms = 1");
  ASSERT_TRUE(wait_for_log("runtime.ready"));
  TestClient client(server_.port());
  ASSERT_TRUE(client.publish("x", "before", 1));
  ASSERT_TRUE(wait_for_records(file(), 1));
  ASSERT_TRUE(runtime_->disable("t", "somebody", "maintenance"));
  EXPECT_FALSE(runtime_->disable("nobody", "somebody", "maintenance"));
  ASSERT_TRUE(wait_for_log("trigger.paused"));
  // A message that comes before that may still be received, and then come twice.
  ASSERT_TRUE(server_.process().wait_for_line("Client client-a.t disconnected"));
  ASSERT_TRUE(client.publish("x", "meanwhile", 1));
  EXPECT_EQ(records(file()).size(), 1U);
  const auto state = runtime_->inbox().trigger_state("t");
  ASSERT_TRUE(state && *state);
  EXPECT_EQ((*state)->changed_by, "somebody");
  EXPECT_EQ((*state)->reason, "maintenance");
  ASSERT_TRUE(runtime_->enable("t"));
  ASSERT_TRUE(wait_for_records(file(), 2)) << "the server has kept it";
  EXPECT_EQ(records(file()).size(), 2U);
  EXPECT_FALSE(*runtime_->inbox().trigger_state("t"));
}

TEST_F(AdministrationTest, DeadLettersAreEditedReplayedAndDropped) {
  const std::filesystem::path healed = dir_ / "healed";
  start("service = \"recorder:misbehave\"",
        fmt::format("mode = \"reject-until\"\nflag = \"{}\"", healed.string()));
  ASSERT_TRUE(wait_for_log("runtime.ready"));
  TestClient client(server_.port());
  for (const char* payload : {"one", "two", "three"}) ASSERT_TRUE(client.publish("x", payload, 1));
  ASSERT_TRUE(wait_for_log("message.dead_letter", 3));
  inbox::Inbox& inbox = runtime_->inbox();
  const auto letters = inbox.dead_letters("t", 10);
  ASSERT_TRUE(letters);
  ASSERT_EQ(letters->size(), 3U);
  const inbox::DeadLetter& three = letters->at(0);
  const inbox::DeadLetter& two = letters->at(1);
  const inbox::DeadLetter& one = letters->at(2);
  EXPECT_EQ(one.payload, "one");

  ASSERT_TRUE(inbox.drop_dead_letter(one.number));
  ASSERT_TRUE(inbox.edit_dead_letter(two.number, "y", "mended"));
  std::ofstream(healed) << "yes";
  ASSERT_TRUE(runtime_->replay_dead_letter(two.number));
  ASSERT_TRUE(runtime_->replay_dead_letter(three.number));
  EXPECT_FALSE(runtime_->replay_dead_letter(three.number)) << "it is one no more";
  ASSERT_TRUE(wait_for_records(file(), 2));
  const auto handled = records(file(), "end");
  EXPECT_EQ(handled[0].topic, "y");
  EXPECT_EQ(handled[0].hash, fnv1a("mended"));
  EXPECT_EQ(handled[0].id, two.message_id) << "the same message";
  EXPECT_EQ(handled[0].attempt, 1U) << "counted anew";
  EXPECT_EQ(handled[1].hash, fnv1a("three"));
  EXPECT_TRUE(inbox.dead_letters("", 10)->empty());
  EXPECT_TRUE(eventually([&] { return inbox.message_counts()->empty(); }));
}

}  // namespace
}  // namespace triggerd::test
