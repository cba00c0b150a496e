// How long a server may be silent, and how fast a connection may come and go. To the millisecond it
// is told by unit/mqtt/wire/keep_alive_test.cpp and alive_test.cpp, with a clock of their own; here
// it is that the library's threads look at it at all.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "integration/recorded.hpp"
#include "support/mqtt_client.hpp"
#include "support/scripted_broker.hpp"
#include "support/triggerd_process.hpp"

namespace triggerd::test {
namespace {

using namespace std::chrono_literals;

class KeepAliveTest : public testing::TestWithParam<const char*> {
 protected:
  std::string keys(const std::string& more) const {
    return fmt::format("protocol = \"{}\"\n{}", GetParam(), more);
  }
  std::string config(const std::string& alias_keys) const {
    return runtime_table() + alias_table("a", broker_.port(), keys(alias_keys)) +
           trigger_table("t", "a", "\"x\"", dir_ / "records");
  }

  // Comes back at once.
  std::string restless(const std::string& alias_keys = {}) const {
    return config(kRestless + alias_keys);
  }

  TempDir dir_;
  ScriptedBroker broker_;
};

// Of the trigger: the last that subscribed.
std::size_t subscribed(ScriptedBroker& broker) {
  const auto found = broker.wait_for<packet::Subscribe>();
  return found ? found->connection : 0;
}

TEST_P(KeepAliveTest, ASilentServerIsNoticedAndNamed) {
  broker_.on(packet::Type::pingreq, [](const Received&) { return Reply(); });
  TriggerdProcess triggerd(config("keep_alive = \"1s\""));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  ASSERT_TRUE(broker_.wait_for_end(subscribed(broker_))) << triggerd.output();
  EXPECT_TRUE(triggerd.wait_for_event(
      "connection.failed", {"the server has been silent for", "keep_alive is 1s", "trigger=t"}))
      << triggerd.output();
}

TEST_P(KeepAliveTest, PingsKeepTheirTimeWhateverOtherConnectionsWant) {
  ScriptedBroker other;
  TriggerdProcess triggerd(config("keep_alive = \"1s\"") +
                           alias_table("b", other.port(), keys("keep_alive = \"1h\"")) +
                           trigger_table("u", "b", "\"x\"", dir_ / "other"));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  // Of the trigger, which subscribes: on another connection where a broker that was held up made it
  // come again.
  const auto pings = [this] {
    std::set<std::size_t> subscribed;
    std::size_t count = 0;
    for (const Received& received : broker_.packets()) {
      if (std::holds_alternative<packet::Subscribe>(received.packet)) {
        subscribed.insert(received.connection);
      } else if (std::holds_alternative<packet::PingReq>(received.packet)) {
        count += subscribed.count(received.connection);
      }
    }
    return count;
  };
  EXPECT_TRUE(eventually([&] { return pings() >= 2; })) << triggerd.output();
}

TEST_P(KeepAliveTest, AConnectionTimeoutBelowASecondIsKept) {
  broker_.on(packet::Type::connect, [](const Received&) { return Reply(); });
  TriggerdProcess triggerd(restless("connection_timeout = \"100ms\"\n"));
  triggerd.start();
  // From one CONNECT of a client to its next.
  const auto pauses = [this] {
    std::map<std::string, Monotonic> last;
    std::vector<Monotonic::duration> found;
    for (const Received& received : broker_.packets()) {
      const auto* const connect = std::get_if<packet::Connect>(&received.packet);
      if (connect == nullptr) continue;
      const auto [before, is_first] = last.try_emplace(connect->client_id, received.at);
      if (!is_first) found.push_back(received.at - std::exchange(before->second, received.at));
    }
    return found;
  };
  ASSERT_TRUE(eventually([&] { return pauses().size() >= 12; })) << triggerd.output();
  // Of whole seconds each would be one; of these, what is held up once is longer.
  const auto all = pauses();
  const auto is_short = [](Monotonic::duration pause) { return pause < 1s; };
  EXPECT_GT(2 * std::ranges::count_if(all, is_short), std::ssize(all));
  EXPECT_TRUE(triggerd.wait_for_event("connection.failed",
                                      {"no CONNACK within connection_timeout (100ms)"}))
      << triggerd.output();
}

// A call of the library was taken twice.
TEST_P(KeepAliveTest, AStormOfReconnectsIsSurvived) {
  std::atomic<bool> storm = true;
  broker_.on(packet::Type::subscribe, [&](const Received& got) {
    Reply reply = willing(got.packet);
    if (storm) reply.close();
    return reply;
  });
  TriggerdProcess triggerd(restless());
  triggerd.start();
  ASSERT_TRUE(broker_.wait_for_packet([](const Received& got) { return got.connection >= 400; }))
      << triggerd.output();
  storm = false;
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  EXPECT_EQ(triggerd.stop(), Exit{}) << triggerd.output();
}

INSTANTIATE_TEST_SUITE_P(, KeepAliveTest, testing::Values("3.1.1", "5"), [](const auto& version) {
  return version.param[0] == '3' ? "V311" : "V5";
});

}  // namespace
}  // namespace triggerd::test
