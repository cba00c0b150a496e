// From create to destroy: what a class has reaches the table, what it throws becomes an error.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "under_test.hpp"

namespace {

using trigger::Context;
using trigger::Message;
using trigger::Verdict;
using under_test::plugin_of;
using under_test::run;

struct Plain {
  explicit Plain(const Context&) {}
  Verdict handle(const Message&) { return Verdict::ok(); }
};

TEST(SdkLife, LeavesOutWhatAClassLacks) {
  const trigger::testing::Plugin plugin = plugin_of<Plain>();
  const trigger_service& service = plugin.service();
  EXPECT_EQ(service.struct_size, sizeof(trigger_service));
  EXPECT_EQ(service.flags, 0u);
  EXPECT_EQ(service.state_version, 0u);
  EXPECT_NE(service.create, nullptr);
  EXPECT_NE(service.start, nullptr);
  EXPECT_NE(service.handle, nullptr);
  EXPECT_NE(service.stop, nullptr);
  EXPECT_NE(service.destroy, nullptr);
  EXPECT_EQ(service.handle_batch, nullptr);
  EXPECT_EQ(service.probe, nullptr);
  EXPECT_EQ(service.save, nullptr);
  EXPECT_EQ(service.restore, nullptr);
  EXPECT_EQ(service.extension, nullptr);
}

// Everything a class may have.
struct Full {
  static constexpr bool concurrent = true;
  static constexpr bool brief = true;
  static constexpr std::uint32_t state_version = 7;
  static inline std::vector<std::string> calls;

  explicit Full(const Context& context) {
    calls = {"create " + context.trigger() + " " + context.alias() + " " +
             std::to_string(context.concurrency())};
  }
  ~Full() { calls.emplace_back("destroy"); }
  Full(const Full&) = delete;
  Full& operator=(const Full&) = delete;

  void start() { calls.emplace_back("start"); }
  void stop() { calls.emplace_back("stop"); }
  Verdict handle(const Message&) { return Verdict::ok(); }
  void handle_batch(trigger::Batch&) {}
  void probe() {
    if (!there) throw std::runtime_error("the database is away");
  }
  std::string save() { return std::string("state\0!", 7); }
  void restore(std::uint32_t version, std::string_view state) {
    if (version != 7) throw std::runtime_error("wrong version");
    calls.emplace_back("restore " + std::string(state));
  }
  const void* extension(const char* id) { return std::string_view(id) == "x/1" ? this : nullptr; }

  bool there = false;
};

TEST(SdkLife, OffersWhatAClassHas) {
  trigger::testing::Options options;
  options.trigger = "north";
  options.alias = "plant";
  options.concurrency = 8;
  {
    auto instance = plugin_of<Full>().create("service", {}, options);
    EXPECT_EQ(instance.service().flags, TRIGGER_SERVICE_CONCURRENT | TRIGGER_SERVICE_BRIEF);
    EXPECT_EQ(instance.service().state_version, 7u);
    EXPECT_NE(instance.service().handle_batch, nullptr);

    instance.restore(7, "old");
    EXPECT_THROW(instance.restore(6, "older"), std::runtime_error);
    instance.start();
    instance.stop();
    instance.start();
    EXPECT_EQ(instance.probe().code, TRIGGER_E_FAILED);
    EXPECT_EQ(instance.probe().reason, "the database is away");
    EXPECT_NE(instance.service().extension(instance.raw(), "x/1"), nullptr);
    EXPECT_EQ(instance.service().extension(instance.raw(), "y/1"), nullptr);
    instance.stop();
    EXPECT_EQ(instance.save(), std::string("state\0!", 7));
  }
  const std::vector<std::string> expected = {
      "create north plant 8", "restore old", "start", "stop", "start", "stop", "destroy"};
  EXPECT_EQ(Full::calls, expected);
}

TEST(SdkLife, SaveGivesUpWhenTheSinkDoes) {
  auto instance = plugin_of<Full>().create();
  trigger_result error{};
  error.struct_size = sizeof(error);
  const trigger_state_sink full = [](void*, trigger_bytes) -> std::int32_t {
    return TRIGGER_E_FULL;
  };
  EXPECT_EQ(instance.service().save(instance.raw(), full, nullptr, &error), TRIGGER_E_FULL);
}

enum class Throw { nothing, error, setting, other };

// Throws where a test tells it to.
struct Thrower {
  static inline Throw in_create = Throw::nothing;
  static inline Throw in_start = Throw::nothing;
  static inline Throw in_stop = Throw::nothing;

  static void raise(Throw what) {
    if (what == Throw::error) throw std::runtime_error("no luck");
    if (what == Throw::setting) throw trigger::SettingError("limit", "must be even");
    if (what == Throw::other) throw 42;
  }
  explicit Thrower(const Context&) { raise(in_create); }
  void start() { raise(in_start); }
  void stop() { raise(in_stop); }
  Verdict handle(const Message&) { return Verdict::ok(); }
};

class SdkThrows : public ::testing::Test {
 protected:
  void SetUp() override {
    Thrower::in_create = Thrower::in_start = Thrower::in_stop = Throw::nothing;
  }
};

TEST_F(SdkThrows, InCreateIsAnErrorWithItsReason) {
  const auto plugin = plugin_of<Thrower>();
  EXPECT_EQ(plugin.why_not("service", {}), "");
  Thrower::in_create = Throw::error;
  EXPECT_EQ(plugin.why_not("service", {}), "no luck");
  Thrower::in_create = Throw::setting;
  EXPECT_EQ(plugin.why_not("service", {}), "setting \"limit\" must be even");
  Thrower::in_create = Throw::other;
  EXPECT_EQ(plugin.why_not("service", {}), "it threw something that is not a std::exception");
}

TEST_F(SdkThrows, InStartLeavesTheInstanceAsItWas) {
  auto instance = plugin_of<Thrower>().create();
  Thrower::in_start = Throw::error;
  try {
    instance.start();
    FAIL() << "it started";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "no luck");
  }
  Thrower::in_start = Throw::nothing;
  instance.start();
  EXPECT_EQ(instance.send({}).code(), TRIGGER_OK);
}

TEST_F(SdkThrows, InStopIsLogged) {
  auto instance = plugin_of<Thrower>().run();
  Thrower::in_stop = Throw::error;
  instance.stop();
  ASSERT_EQ(instance.log_lines().size(), 1u);
  EXPECT_EQ(instance.log_lines()[0].level, TRIGGER_LOG_ERROR);
  EXPECT_EQ(instance.log_lines()[0].text, "no luck");
}

TEST_F(SdkThrows, InHandleIsARetryWithItsText) {
  auto instance = run([](const Context&, const Message& message) -> Verdict {
    if (message.payload() == "other") throw 42;
    throw std::runtime_error(std::string(message.payload()));
  });
  EXPECT_EQ(instance.send({"a", "the disk is full"}).code(), TRIGGER_RETRY);
  EXPECT_EQ(instance.send({"a", "the disk is full"}).reason(), "the disk is full");
  EXPECT_EQ(instance.send({"a", "other"}).code(), TRIGGER_RETRY);
  EXPECT_EQ(instance.send({"a", "other"}).reason(),
            "it threw something that is not a std::exception");
  EXPECT_EQ(instance.send({"a", std::string(1000, 'x')}).reason(), std::string(255, 'x'));
}

TEST(SdkLife, SaysVerdicts) {
  auto instance = run([](const Context&, const Message& message) {
    using namespace std::chrono_literals;
    if (message.payload() == "ok") return Verdict::ok();
    if (message.payload() == "retry") return Verdict::retry("later");
    if (message.payload() == "retry in 5 s") return Verdict::retry(5s, "much later");
    if (message.payload() == "retry never") return Verdict::retry(std::chrono::hours(1 << 20));
    if (message.payload() == "retry before") return Verdict::retry(-1s);
    return Verdict::reject("nonsense");
  });
  EXPECT_EQ(instance.send({"a", "ok"}).code(), TRIGGER_OK);
  EXPECT_EQ(instance.send({"a", "retry"}).code(), TRIGGER_RETRY);
  EXPECT_EQ(instance.send({"a", "retry"}).answer().retry_after_ms, 0u);
  EXPECT_EQ(instance.send({"a", "retry"}).reason(), "later");
  EXPECT_EQ(instance.send({"a", "retry in 5 s"}).answer().retry_after_ms, 5000u);
  EXPECT_EQ(instance.send({"a", "retry in 5 s"}).reason(), "much later");
  EXPECT_EQ(instance.send({"a", "retry never"}).answer().retry_after_ms, UINT32_MAX);
  EXPECT_EQ(instance.send({"a", "retry before"}).answer().retry_after_ms, 0u);
  EXPECT_EQ(instance.send({"a", "?"}).code(), TRIGGER_REJECT);
  EXPECT_EQ(instance.send({"a", "?"}).reason(), "nonsense");
}

TEST(SdkLife, ShowsTheMessage) {
  auto instance = run([](const Context& context, const Message& message) {
    EXPECT_EQ(message.topic(), "a/b");
    EXPECT_EQ(message.payload(), std::string_view("x\0y", 3));
    EXPECT_EQ(message.trigger(), "test-trigger");
    EXPECT_EQ(message.id(), "id-1");
    EXPECT_EQ(message.qos(), 2u);
    EXPECT_EQ(message.attempt(), 4u);
    EXPECT_TRUE(message.retained());
    EXPECT_TRUE(message.duplicate());
    const auto age = std::chrono::system_clock::now() - message.received();
    EXPECT_LT(age, std::chrono::minutes(10));
    EXPECT_GE(age, std::chrono::seconds(0));
    EXPECT_EQ(message.property_count(), 1u);
    EXPECT_EQ(message.properties()[0].number, 60u);
    context.debug("seen");
    return Verdict::ok();
  });
  trigger::testing::Message message{"a/b", std::string("x\0y", 3)};
  message.id = "id-1";
  message.qos = 2;
  message.attempt = 4;
  message.retain = true;
  message.dup = true;
  message.properties = {{2, 60, "", ""}};
  instance.send(message);
  ASSERT_EQ(instance.log_lines().size(), 1u);
  EXPECT_EQ(instance.log_lines()[0].level, TRIGGER_LOG_DEBUG);
  EXPECT_EQ(instance.log_lines()[0].text, "seen");
}

TEST(SdkLife, CountsMetrics) {
  auto instance = run([](const Context& context, const Message& message) {
    context.counter("seen_total", "Messages seen").add();
    const trigger::Metric level = context.gauge("level", "How full it is");
    EXPECT_TRUE(level.add(2.5));
    EXPECT_TRUE(level.add(-1));
    EXPECT_FALSE(context.counter("seen_total", "").add(-1));
    if (message.payload() == "wrong") static_cast<void>(context.gauge("seen_total", ""));
    return Verdict::ok();
  });
  EXPECT_EQ(instance.send({}).code(), TRIGGER_OK);
  EXPECT_EQ(instance.send({}).code(), TRIGGER_OK);
  EXPECT_EQ(instance.metric("seen_total"), 2.0);
  EXPECT_EQ(instance.metric("level"), 3.0);
  EXPECT_FALSE(instance.metric("other").has_value());
  const auto attempt = instance.send({"a", "wrong"});
  EXPECT_EQ(attempt.code(), TRIGGER_RETRY);
  EXPECT_NE(attempt.reason().find("metric \"seen_total\" cannot be created"), std::string::npos);
}

// A Context may be kept too long: it then answers that nobody is there.
TEST(SdkLife, AContextOutlivesItsInstance) {
  static std::vector<Context> kept;
  kept.clear();
  {
    auto instance = run([](const Context& context, const Message&) {
      kept.push_back(context);
      return Verdict::ok();
    });
    instance.send({});
  }
  ASSERT_EQ(kept.size(), 1u);
  kept[0].info("anybody?");
  EXPECT_FALSE(kept[0].log_enabled(trigger::Level::error));
  EXPECT_EQ(kept[0].publish({"a", "b"}), TRIGGER_E_STATE);
  EXPECT_EQ(kept[0].extension("x/1"), nullptr);
  kept.clear();
}

}  // namespace
