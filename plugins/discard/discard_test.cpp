#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <trigger/testing.hpp>
#include <vector>

namespace {

using trigger::testing::Plugin;

TEST(Discard, SaysOkToEverything) {
  const Plugin plugin(PLUGIN_FILE);
  auto instance = plugin.run();
  EXPECT_EQ(instance.send({"a/b", "21.5"}).code(), TRIGGER_OK);
  EXPECT_EQ(instance.send({"a/b", std::string("\0\xff", 2)}).code(), TRIGGER_OK);
  EXPECT_EQ(instance.send({"a/b", std::string(1 << 20, 'x')}).code(), TRIGGER_OK);
  EXPECT_TRUE(instance.publishes().empty());
  EXPECT_TRUE(instance.log_lines().empty());
  EXPECT_TRUE(instance.violations().empty());
}

TEST(Discard, RefusesSettingsByName) {
  const Plugin plugin(PLUGIN_FILE);
  EXPECT_EQ(plugin.why_not("discard", {{"limit", 80}, {"other", true}}),
            "setting \"limit\" is unknown; discard takes no settings");
  EXPECT_EQ(plugin.why_not("discard", {{std::string(400, 'k'), 1}}),
            "setting \"\" is unknown; discard takes no settings");
}

TEST(Discard, RunsOnSeveralWorkers) {
  const Plugin plugin(PLUGIN_FILE);
  ASSERT_EQ(plugin.service().flags, TRIGGER_SERVICE_CONCURRENT | TRIGGER_SERVICE_BRIEF);
  auto instance = plugin.run();
  std::vector<std::thread> workers;
  workers.reserve(4);
  for (int i = 0; i < 4; ++i) {
    workers.emplace_back([&instance] {
      for (int k = 0; k < 100; ++k) EXPECT_EQ(instance.send({"a", "b"}).code(), TRIGGER_OK);
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_TRUE(instance.violations().empty());
}

TEST(Discard, StartsAgainAfterStop) {
  const Plugin plugin(PLUGIN_FILE);
  auto instance = plugin.run();
  instance.stop();
  instance.start();
  EXPECT_EQ(instance.send({}).code(), TRIGGER_OK);
}

TEST(Discard, LeavesOutWhatIsOptional) {
  const Plugin plugin(PLUGIN_FILE);
  EXPECT_EQ(plugin.name(), "discard");
  EXPECT_EQ(plugin.version(), "1.0.0");
  const trigger_service& service = plugin.service("discard");
  EXPECT_EQ(service.handle_batch, nullptr);
  EXPECT_EQ(service.probe, nullptr);
  EXPECT_EQ(service.save, nullptr);
  EXPECT_EQ(service.restore, nullptr);
  EXPECT_EQ(service.extension, nullptr);
}

}  // namespace
