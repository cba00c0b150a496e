// The test kit tells services that break the rules of plugin.h from those that do not. The services
// here are written against the raw ABI, since the C++ wrapper does not let them.
#include <gtest/gtest.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "under_test.hpp"

namespace {

using trigger::testing::Plugin;

const trigger_host* host = nullptr;
std::int32_t (*script)(const trigger_message*) = nullptr;
std::int32_t (*at_start)() = nullptr;
void (*at_stop)() = nullptr;
std::int32_t code_in_create = TRIGGER_OK;

trigger_publish publish_of(const char* topic) {
  trigger_publish request{};
  request.struct_size = sizeof(request);
  request.topic = {topic, std::string(topic).size()};
  return request;
}

std::int32_t complete(std::uint64_t token, std::int32_t code) {
  trigger_result result{};
  result.struct_size = sizeof(result);
  result.code = code;
  return host->complete(host->ctx, token, &result);
}

const trigger_plugin* raw_entry(const trigger_host*) {
  static const trigger_service service = [] {
    trigger_service row{};
    row.struct_size = sizeof(row);
    row.name = {"raw", 3};
    row.create = [](const trigger_host* given, const trigger_instance_config*, void** instance,
                    trigger_result*) -> std::int32_t {
      static char the_instance;
      host = given;
      *instance = &the_instance;
      const trigger_publish request = publish_of("early");
      code_in_create = host->publish(host->ctx, &request);
      return TRIGGER_OK;
    };
    row.start = [](void*, trigger_result*) -> std::int32_t {
      return at_start == nullptr ? TRIGGER_OK : at_start();
    };
    row.handle = [](void*, const trigger_message* message, trigger_result*) {
      return script(message);
    };
    row.stop = [](void*) {
      if (at_stop != nullptr) at_stop();
    };
    row.destroy = [](void*) {};
    return row;
  }();
  static const trigger_service* const services[] = {&service};
  static const trigger_plugin plugin = {sizeof(trigger_plugin),
                                        TRIGGER_ABI_MAJOR,
                                        TRIGGER_ABI_MINOR,
                                        1,
                                        {"raw", 3},
                                        {"1", 1},
                                        services};
  return &plugin;
}

using Violations = std::vector<std::string>;

class Kit : public ::testing::Test {
 protected:
  void SetUp() override { script = nullptr, at_start = nullptr, at_stop = nullptr; }
  void TearDown() override { at_stop = nullptr; }
};

TEST_F(Kit, NoticesAPublishBeforeStart) {
  auto instance = Plugin(&raw_entry).create();
  EXPECT_EQ(code_in_create, TRIGGER_E_STATE);
  EXPECT_EQ(instance.violations(),
            Violations{"publish was called when the instance was not started"});
}

TEST_F(Kit, NoticesACompleteAfterStop) {
  static std::uint64_t token;
  script = [](const trigger_message* message) -> std::int32_t {
    token = message->token;
    return TRIGGER_PENDING;
  };
  auto instance = Plugin(&raw_entry).run();
  const auto attempt = instance.send({});
  instance.stop();
  EXPECT_EQ(attempt.reason(), "revoked: the instance stopped");
  EXPECT_EQ(complete(token, TRIGGER_OK), TRIGGER_E_STATE);
  EXPECT_EQ(instance.violations().back(), "complete was called when the instance was not started");
  EXPECT_EQ(host->extend(host->ctx, token, 1), TRIGGER_E_STATE);
  EXPECT_EQ(instance.violations().back(), "extend was called when the instance was not started");
}

// As the runtime does: what is pending is revoked, then publishes are cancelled, then stop is
// called.
TEST_F(Kit, RevokesBeforeItCancelsAndCallsStop) {
  static std::uint64_t token;
  static const trigger_message* kept;
  static std::vector<std::string> calls;
  calls.clear();
  static const auto late = [] {
    EXPECT_EQ(complete(token, TRIGGER_OK), TRIGGER_E_STALE);
    EXPECT_EQ(host->extend(host->ctx, token, 60'000), TRIGGER_E_STALE);
    const trigger_publish request = publish_of("last/words");
    EXPECT_EQ(host->publish(host->ctx, &request), TRIGGER_E_STATE);
  };
  script = [](const trigger_message* message) -> std::int32_t {
    token = message->token;
    kept = message;
    trigger_publish request = publish_of("out");
    request.done = [](void*, std::int32_t code, trigger_str) {
      EXPECT_EQ(std::string(kept->topic.ptr, kept->topic.len), "a/b");  // valid until completed
      calls.push_back("done " + std::to_string(code));
      late();
    };
    EXPECT_EQ(host->publish(host->ctx, &request), TRIGGER_OK);
    return TRIGGER_PENDING;
  };
  at_stop = [] {
    calls.emplace_back("stop");
    late();
  };
  auto instance = Plugin(&raw_entry).run();
  const auto attempt = instance.send({"a/b"});
  const std::size_t before = instance.violations().size();
  instance.stop();
  EXPECT_EQ(attempt.code(), TRIGGER_RETRY);
  EXPECT_EQ(attempt.reason(), "revoked: the instance stopped");
  const std::vector<std::string> expected = {"done " + std::to_string(TRIGGER_E_CANCELLED), "stop"};
  EXPECT_EQ(calls, expected);
  EXPECT_EQ(instance.publishes().size(), 1u);
  // A thread of the service cannot know that the instance is about to be stopped.
  EXPECT_EQ(instance.violations().size(), before);
}

TEST_F(Kit, KeepsRevokedMessagesUntilStopHasReturned) {
  static const trigger_message* kept;
  script = [](const trigger_message* message) -> std::int32_t {
    kept = message;
    return TRIGGER_PENDING;
  };
  at_stop = [] { EXPECT_EQ(std::string(kept->topic.ptr, kept->topic.len), "a/b"); };
  auto instance = Plugin(&raw_entry).run();
  instance.send({"a/b"});
  instance.stop();
}

TEST_F(Kit, CancelsWhatAFailedStartHasPublished) {
  static std::vector<std::int32_t> codes;
  codes.clear();
  at_start = []() -> std::int32_t {
    trigger_publish request = publish_of("out");
    request.done = [](void*, std::int32_t code, trigger_str) { codes.push_back(code); };
    EXPECT_EQ(host->publish(host->ctx, &request), TRIGGER_OK);
    return TRIGGER_E_FAILED;
  };
  auto instance = Plugin(&raw_entry).create();
  EXPECT_THROW(instance.start(), std::runtime_error);
  EXPECT_EQ(codes, std::vector<std::int32_t>{TRIGGER_E_CANCELLED});
  const trigger_publish request = publish_of("out");
  EXPECT_EQ(host->publish(host->ctx, &request), TRIGGER_E_STATE);
  at_start = nullptr;
  instance.start();
  EXPECT_EQ(host->publish(host->ctx, &request), TRIGGER_OK);
}

TEST_F(Kit, NoticesTwoVerdicts) {
  script = [](const trigger_message* message) -> std::int32_t {
    EXPECT_EQ(complete(message->token, TRIGGER_REJECT), TRIGGER_OK);
    return TRIGGER_OK;
  };
  auto instance = Plugin(&raw_entry).run();
  EXPECT_EQ(instance.send({}).code(), TRIGGER_REJECT);
  EXPECT_EQ(instance.violations().back(),
            "an attempt was completed, but handle did not return PENDING");
}

TEST_F(Kit, RefusesACompleteThatIsNoVerdict) {
  script = [](const trigger_message* message) -> std::int32_t {
    EXPECT_EQ(complete(message->token, 99), TRIGGER_E_INVALID);
    EXPECT_EQ(complete(message->token, TRIGGER_PENDING), TRIGGER_E_INVALID);
    EXPECT_EQ(complete(message->token + 1, TRIGGER_OK), TRIGGER_E_STALE);
    EXPECT_EQ(complete(message->token, TRIGGER_OK), TRIGGER_OK);
    EXPECT_EQ(complete(message->token, TRIGGER_OK), TRIGGER_E_STALE);
    return TRIGGER_PENDING;
  };
  auto instance = Plugin(&raw_entry).run();
  EXPECT_EQ(instance.send({}).code(), TRIGGER_OK);
}

TEST_F(Kit, RefusesATopicThatIsNone) {
  script = [](const trigger_message*) -> std::int32_t {
    for (const char* topic : {"", "a/+", "#"}) {
      const trigger_publish request = publish_of(topic);
      EXPECT_EQ(host->publish(host->ctx, &request), TRIGGER_E_INVALID) << topic;
    }
    trigger_publish request = publish_of("a");
    request.qos = 3;
    EXPECT_EQ(host->publish(host->ctx, &request), TRIGGER_E_INVALID);
    return TRIGGER_OK;
  };
  auto instance = Plugin(&raw_entry).run();
  instance.send({});
  EXPECT_TRUE(instance.publishes().empty());
}

std::int32_t publish(const trigger_publish& request) {
  return host->publish(host->ctx, &request);
}

TEST_F(Kit, RefusesTextThatMqttForbids) {
  script = [](const trigger_message*) -> std::int32_t {
    for (const std::string& topic :
         {std::string("a\0b", 3), std::string("a\xFF"), std::string("\xC0\xAF"),
          std::string("\xED\xA0\x80"), std::string("a/\xE2\x82"), std::string("\xF4\x90\x80\x80"),
          std::string(65'536, 'a')}) {
      trigger_publish request = publish_of("");
      request.topic = {topic.data(), topic.size()};
      EXPECT_EQ(publish(request), TRIGGER_E_INVALID) << topic.substr(0, 10);
    }
    const std::string longest(65'535, 'a');
    for (const std::string& topic :
         {std::string("\xC3\xA9/\xE2\x82\xAC/\xF0\x9F\x98\x80"), std::string("\x01"), longest}) {
      trigger_publish request = publish_of("");
      request.topic = {topic.data(), topic.size()};
      EXPECT_EQ(publish(request), TRIGGER_OK) << topic.substr(0, 10);
    }
    return TRIGGER_OK;
  };
  auto instance = Plugin(&raw_entry).run();
  instance.send({});
  EXPECT_EQ(instance.publishes().size(), 3u);
}

TEST_F(Kit, RefusesPublishesThatAreNotFilledIn) {
  script = [](const trigger_message*) -> std::int32_t {
    EXPECT_EQ(host->publish(host->ctx, nullptr), TRIGGER_E_INVALID);
    trigger_publish request = publish_of("a");
    request.struct_size = 0;
    EXPECT_EQ(publish(request), TRIGGER_E_INVALID) << "struct_size";
    request = publish_of("a");
    request.flags = 2;
    EXPECT_EQ(publish(request), TRIGGER_E_INVALID) << "an unknown flag";
    request = publish_of("a");
    request.payload.len = 1;
    EXPECT_EQ(publish(request), TRIGGER_E_INVALID) << "no payload";
    request = publish_of("a");
    request.alias.len = 1;
    EXPECT_EQ(publish(request), TRIGGER_E_INVALID) << "no alias";
    request = publish_of("a");
    request.property_count = 1;
    EXPECT_EQ(publish(request), TRIGGER_E_INVALID) << "no properties";
    const std::string alias(1'025, 'a');
    request = publish_of("a");
    request.alias = {alias.data(), alias.size()};
    EXPECT_EQ(publish(request), TRIGGER_E_INVALID) << "a long alias";
    request = publish_of("a");
    request.payload = {reinterpret_cast<const std::uint8_t*>("x"), 268'435'455};
    EXPECT_EQ(publish(request), TRIGGER_E_INVALID) << "more than a packet holds";
    request = publish_of("a");
    request.flags = TRIGGER_PUBLISH_RETAIN;
    EXPECT_EQ(publish(request), TRIGGER_OK);
    EXPECT_EQ(complete(0, TRIGGER_OK), TRIGGER_E_STALE);
    EXPECT_EQ(host->complete(host->ctx, 0, nullptr), TRIGGER_E_INVALID);
    trigger_result result{};
    EXPECT_EQ(host->complete(host->ctx, 0, &result), TRIGGER_E_INVALID) << "struct_size";
    return TRIGGER_OK;
  };
  auto instance = Plugin(&raw_entry).run();
  instance.send({});
  EXPECT_EQ(instance.publishes().size(), 1u);
}

trigger_property number(std::uint32_t id, std::uint64_t value) {
  return {id, 0, value, {nullptr, 0}, {nullptr, 0}};
}

trigger_property bytes(std::uint32_t id, const std::string& value, const std::string& name = {}) {
  return {id,
          0,
          0,
          {name.data(), name.size()},
          {reinterpret_cast<const std::uint8_t*>(value.data()), value.size()}};
}

std::int32_t publish_with(const std::vector<trigger_property>& properties) {
  trigger_publish request = publish_of("a");
  request.properties = properties.data();
  request.property_count = properties.size();
  return publish(request);
}

TEST_F(Kit, RefusesPropertiesThatAClientMayNotPublishWith) {
  script = [](const trigger_message*) -> std::int32_t {
    const std::string nul("a\0", 2);
    const std::string not_utf8("\xFF");
    const std::string wildcard("a/+");
    const std::string too_long(65'536, 'a');
    const std::string text("text");
    const std::vector<trigger_property> wrong = {
        number(0x01, 2),
        number(0x02, 0x1'0000'0000),
        bytes(0x03, nul),
        bytes(0x03, not_utf8),
        bytes(0x03, too_long),
        bytes(0x08, wildcard),
        bytes(0x08, ""),
        bytes(0x09, too_long),
        number(0x0b, 1),  // a subscription identifier comes from the server
        number(0x11, 1),  // of CONNECT
        number(0x23, 1),  // a topic alias is the client's own
        number(0, 1),     // none of MQTT 5
        number(1'000, 1),
        bytes(0x26, text, nul),
        bytes(0x26, not_utf8, text),
    };
    for (const trigger_property& property : wrong) {
      EXPECT_EQ(publish_with({property}), TRIGGER_E_INVALID) << property.id;
    }
    trigger_property no_value = bytes(0x09, "");
    no_value.value = {nullptr, 1};
    EXPECT_EQ(publish_with({no_value}), TRIGGER_E_INVALID);
    const std::vector<trigger_property> right = {number(0x01, 1),       number(0x02, 0xffff'ffff),
                                                 bytes(0x03, text),     bytes(0x08, text),
                                                 bytes(0x09, not_utf8), bytes(0x26, text, text)};
    for (const trigger_property& property : right) {
      EXPECT_EQ(publish_with({property}), TRIGGER_OK) << property.id;
      EXPECT_EQ(publish_with({property, property}),
                property.id == TRIGGER_PROPERTY_USER ? TRIGGER_OK : TRIGGER_E_INVALID)
          << property.id;
    }
    EXPECT_EQ(publish_with(right), TRIGGER_OK);
    return TRIGGER_OK;
  };
  auto instance = Plugin(&raw_entry).run();
  instance.send({});
  EXPECT_EQ(instance.publishes().size(), 8u);
}

TEST_F(Kit, RefusesWhatIsWrongWhateverElseItRefuses) {
  script = [](const trigger_message*) -> std::int32_t {
    EXPECT_EQ(publish(publish_of("a/+")), TRIGGER_E_INVALID);
    EXPECT_EQ(publish(publish_of("a")), TRIGGER_E_FULL);
    return TRIGGER_OK;
  };
  auto instance = Plugin(&raw_entry).run();
  instance.refuse_publishes(TRIGGER_E_FULL);
  instance.send({});
}

std::int32_t define(const std::string& name, std::uint64_t& id,
                    std::uint32_t kind = TRIGGER_METRIC_COUNTER, const std::string& help = "Help") {
  return host->metric(host->ctx, {name.data(), name.size()}, kind, {help.data(), help.size()}, &id);
}

TEST_F(Kit, RefusesMetricsThatTheRuntimeRefuses) {
  auto instance = Plugin(&raw_entry).create();
  std::uint64_t id = 0;
  for (const std::string& name :
       {std::string(), std::string("Seen"), std::string("1st"), std::string("a-b"),
        std::string("a.b"), std::string("caf\xC3\xA9"), std::string("a\0", 2),
        std::string(101, 'a')}) {
    EXPECT_EQ(define(name, id), TRIGGER_E_INVALID) << name;
  }
  EXPECT_EQ(define("a", id, 2), TRIGGER_E_INVALID);
  EXPECT_EQ(define("a", id, TRIGGER_METRIC_GAUGE, std::string(1'025, 'h')), TRIGGER_E_INVALID);
  EXPECT_EQ(host->metric(host->ctx, {"a", 1}, 0, {"", 0}, nullptr), TRIGGER_E_INVALID);
  EXPECT_EQ(host->metric(host->ctx, {nullptr, 1}, 0, {"", 0}, &id), TRIGGER_E_INVALID);
  EXPECT_EQ(host->metric(host->ctx, {"a", 1}, 0, {nullptr, 1}, &id), TRIGGER_E_INVALID);
  EXPECT_EQ(id, 0u);

  EXPECT_EQ(define(std::string(100, 'a'), id, TRIGGER_METRIC_GAUGE, std::string(1'024, 'h')),
            TRIGGER_OK);
  EXPECT_NE(id, 0u) << "0 is no metric, so one that was never defined is found";
  EXPECT_EQ(host->metric_add(host->ctx, 0, 1), TRIGGER_E_INVALID);
  EXPECT_EQ(host->metric_add(host->ctx, id, 1.5e308), TRIGGER_OK);
  EXPECT_EQ(host->metric_add(host->ctx, id, 1.5e308), TRIGGER_E_INVALID) << "the sum is infinite";
  for (int i = 1; i < 64; ++i) EXPECT_EQ(define("_metric_" + std::to_string(i), id), TRIGGER_OK);
  EXPECT_EQ(define("one_more", id), TRIGGER_E_FULL);
  std::uint64_t again = 0;
  EXPECT_EQ(define("_metric_63", again), TRIGGER_OK) << "it is there already";
  EXPECT_EQ(again, id);
}

// The one that the entry function is given offers only logging.
TEST_F(Kit, ThePluginsOwnHostHasNoInstance) {
  static const trigger_host* own;
  const Plugin plugin([](const trigger_host* given) {
    own = given;
    std::uint64_t id = 0;
    EXPECT_EQ(given->metric(given->ctx, {"a", 1}, 0, {"", 0}, &id), TRIGGER_E_STATE);
    EXPECT_EQ(given->metric_add(given->ctx, 1, 1), TRIGGER_E_STATE);
    return raw_entry(given);
  });
  auto instance = plugin.run();
  const trigger_publish request = publish_of("a");
  EXPECT_EQ(own->publish(own->ctx, &request), TRIGGER_E_STATE);
  EXPECT_EQ(own->complete(own->ctx, 1, nullptr), TRIGGER_E_STATE);
  EXPECT_EQ(own->extend(own->ctx, 1, 1), TRIGGER_E_STATE);
}

TEST_F(Kit, KeepsUnknownVerdictsAsTheyAre) {
  script = [](const trigger_message*) -> std::int32_t { return 77; };
  auto instance = Plugin(&raw_entry).run();
  EXPECT_EQ(instance.send({}).code(), 77);
}

TEST_F(Kit, RefusesMisuseByTheTest) {
  script = [](const trigger_message*) -> std::int32_t { return TRIGGER_OK; };
  auto instance = Plugin(&raw_entry).create();
  EXPECT_THROW(instance.send({}), std::logic_error);
  EXPECT_THROW(instance.stop(), std::logic_error);
  instance.start();
  EXPECT_THROW(instance.start(), std::logic_error);
  EXPECT_THROW(instance.finish_publish(0), std::logic_error);
  EXPECT_THROW(instance.send_batch({}), std::logic_error);
  EXPECT_THROW(instance.save(), std::logic_error);
  EXPECT_THROW(Plugin(&raw_entry).service("other"), std::logic_error);
}

TEST_F(Kit, SaysWhyAPluginDoesNotLoad) {
  EXPECT_THROW(Plugin("/nowhere/at-all.so"), std::runtime_error);
  try {
    const Plugin refusing([](const trigger_host* given) -> const trigger_plugin* {
      given->log(given->ctx, TRIGGER_LOG_ERROR, {"too old", 7});
      return nullptr;
    });
    FAIL() << "it loaded";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "the plugin refuses this host: too old");
  }
  EXPECT_THROW(
      Plugin([](const trigger_host*) -> const trigger_plugin* {
        static const trigger_plugin other = {
            sizeof(trigger_plugin), TRIGGER_ABI_MAJOR + 1, 0, 0, {"x", 1}, {"1", 1}, nullptr};
        return &other;
      }),
      std::runtime_error);
}

TEST_F(Kit, WaitsNoLongerThanItIsTold) {
  script = [](const trigger_message*) -> std::int32_t { return TRIGGER_PENDING; };
  auto instance = Plugin(&raw_entry).run();
  const auto attempt = instance.send({});
  EXPECT_THROW(attempt.wait(std::chrono::milliseconds(1)), std::runtime_error);
  EXPECT_THROW(instance.wait_publishes(1, std::chrono::milliseconds(1)), std::runtime_error);
}

}  // namespace
