#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <trigger/testing.hpp>

namespace {

using trigger::testing::Options;
using trigger::testing::Plugin;
using trigger::testing::Settings;

const Settings to_copy = {{"topic", "copy/{topic}"}};

TEST(Republish, PublishesACopy) {
  const Plugin plugin(PLUGIN_FILE);
  auto instance = plugin.run("republish", to_copy);
  const std::string payload("\0binary\xff", 8);
  instance.send({"a/b", payload});
  const auto published = instance.publishes();
  ASSERT_EQ(published.size(), 1u);
  EXPECT_EQ(published[0].topic, "copy/a/b");
  EXPECT_EQ(published[0].payload, payload);
  EXPECT_EQ(published[0].alias, "");
  EXPECT_EQ(published[0].qos, 1u);
  EXPECT_FALSE(published[0].retain);
  EXPECT_TRUE(instance.violations().empty());
}

TEST(Republish, UsesAliasQosAndRetain) {
  const Plugin plugin(PLUGIN_FILE);
  Options options;
  options.trigger = "north";
  auto instance = plugin.run(
      "republish",
      {{"topic", "{trigger}/{topic:2}"}, {"alias", "cloud"}, {"qos", 2}, {"retain", true}},
      options);
  instance.send({"a/b/c", "x"});
  const auto published = instance.publishes();
  ASSERT_EQ(published.size(), 1u);
  EXPECT_EQ(published[0].topic, "north/b");
  EXPECT_EQ(published[0].alias, "cloud");
  EXPECT_EQ(published[0].qos, 2u);
  EXPECT_TRUE(published[0].retain);
}

TEST(Republish, TakesATopicFromThePayload) {
  const Plugin plugin(PLUGIN_FILE);
  auto instance = plugin.run("republish", {{"topic", "devices/{json:/id}"}});
  instance.send({"a", R"({"id": 18446744073709551615})"});
  const auto published = instance.publishes();
  ASSERT_EQ(published.size(), 1u);
  EXPECT_EQ(published[0].topic, "devices/18446744073709551615");
  const auto without = instance.send({"a", "{}"});
  EXPECT_EQ(without.code(), TRIGGER_REJECT);
  EXPECT_EQ(without.reason(),
            "the template \"devices/{json:/id}\" does not fit this message: the payload has no "
            "\"/id\"");
}

TEST(Republish, IsOkOnlyOnceTheServerHasIt) {
  const Plugin plugin(PLUGIN_FILE);
  auto instance = plugin.run("republish", to_copy);
  const auto first = instance.send({"a", "1"});
  const auto second = instance.send({"a", "2"});
  EXPECT_TRUE(first.pending());
  instance.finish_publish(1);
  EXPECT_TRUE(first.pending());
  EXPECT_EQ(second.code(), TRIGGER_OK);
  instance.finish_publish(0);
  EXPECT_EQ(first.code(), TRIGGER_OK);
}

TEST(Republish, RetriesWhatMayGoBetterLater) {
  const Plugin plugin(PLUGIN_FILE);
  auto instance = plugin.run("republish", to_copy);
  instance.refuse_publishes(TRIGGER_E_FAILED);
  const auto refused = instance.send({"a", "1"});
  EXPECT_EQ(refused.code(), TRIGGER_RETRY);
  EXPECT_EQ(refused.reason().rfind("not published: ", 0), 0u) << refused.reason();
  instance.refuse_publishes(TRIGGER_OK);
  const auto attempt = instance.send({"a", "1"});
  instance.finish_publish(0, TRIGGER_E_FAILED, "the connection was lost");
  EXPECT_EQ(attempt.code(), TRIGGER_RETRY);
  EXPECT_EQ(attempt.reason(), "not published: the connection was lost");
}

// Without a connection it is nothing that the message could help.
TEST(Republish, IsUnavailableWhileThereIsNoConnection) {
  const Plugin plugin(PLUGIN_FILE);
  auto instance = plugin.run("republish", to_copy);
  for (const std::int32_t code : {TRIGGER_E_FULL, TRIGGER_E_NOT_CONNECTED}) {
    instance.refuse_publishes(code);
    const auto attempt = instance.send({"a", "1"});
    EXPECT_EQ(attempt.code(), TRIGGER_UNAVAILABLE) << code;
    EXPECT_EQ(attempt.reason().rfind("not published: ", 0), 0u) << attempt.reason();
  }
  instance.refuse_publishes(TRIGGER_OK);
  const auto attempt = instance.send({"a", "1"});
  instance.finish_publish(0, TRIGGER_E_NOT_CONNECTED, "the connection was lost");
  EXPECT_EQ(attempt.code(), TRIGGER_UNAVAILABLE);
  EXPECT_EQ(attempt.reason(), "not published: the connection was lost");
  EXPECT_TRUE(instance.violations().empty());
}

TEST(Republish, RejectsWhatCannot) {
  const Plugin plugin(PLUGIN_FILE);
  auto instance = plugin.run("republish", to_copy);
  for (const std::int32_t code : {TRIGGER_E_NOT_FOUND, TRIGGER_E_INVALID}) {
    instance.refuse_publishes(code);
    EXPECT_EQ(instance.send({"a", "1"}).code(), TRIGGER_REJECT) << code;
  }
  instance.refuse_publishes(TRIGGER_E_NOT_FOUND);
  EXPECT_EQ(instance.send({"a", "1"}).reason(), "not published: there is no alias of that name");
  EXPECT_TRUE(instance.publishes().empty());
}

TEST(Republish, RejectsAMessageThatMakesNoTopic) {
  const Plugin plugin(PLUGIN_FILE);
  auto instance = plugin.run("republish", {{"topic", "{topic:2}"}});
  for (const char* topic : {"a", "a/", "a/b+c", "a/#"}) {
    const auto attempt = instance.send({topic, "1"});
    EXPECT_EQ(attempt.code(), TRIGGER_REJECT) << topic;
    EXPECT_EQ(attempt.reason().rfind("the template \"{topic:2}\" does not fit", 0), 0u);
  }
  EXPECT_TRUE(instance.publishes().empty());
}

TEST(Republish, EndsAtStopWithPublishesUnderWay) {
  const Plugin plugin(PLUGIN_FILE);
  auto instance = plugin.run("republish", to_copy);
  const auto attempt = instance.send({"a", "1"});
  instance.stop();
  EXPECT_EQ(attempt.code(), TRIGGER_RETRY);
  EXPECT_TRUE(instance.violations().empty());
  instance.start();
  const auto again = instance.send({"a", "1"});
  instance.finish_publish(1);
  EXPECT_EQ(again.code(), TRIGGER_OK);
}

TEST(Republish, SurvivesAResultThatComesAfterTheDeadline) {
  const Plugin plugin(PLUGIN_FILE);
  auto instance = plugin.run("republish", to_copy);
  const auto attempt = instance.send({"a", "1"});
  attempt.expire();
  instance.finish_publish(0);
  EXPECT_EQ(attempt.code(), TRIGGER_RETRY);
  EXPECT_TRUE(instance.violations().empty());
}

TEST(Republish, NamesAWrongSetting) {
  const Plugin plugin(PLUGIN_FILE);
  EXPECT_EQ(plugin.why_not("republish", {}), "setting \"topic\" is missing; it must be a string");
  EXPECT_EQ(plugin.why_not("republish", {{"topic", "a/{x}"}}),
            "setting \"topic\" has the unknown placeholder {x}; use {topic}, {topic:N}, {trigger} "
            "or {json:/POINTER}");
  EXPECT_EQ(plugin.why_not("republish", {{"topic", "a"}, {"qos", 3}}),
            "setting \"qos\" must be 0, 1 or 2");
  EXPECT_EQ(plugin.why_not("republish", {{"topic", "a"}, {"retain", "yes"}}),
            "setting \"retain\" must be true or false, not a string");
  EXPECT_EQ(
      plugin.why_not("republish", {{"topic", "a"}, {"retained", true}}),
      "setting \"retained\" is unknown; this service knows topic, alias, qos, retain; did you mean "
      "\"retain\"?");
  EXPECT_EQ(plugin.service().flags, TRIGGER_SERVICE_CONCURRENT);
}

}  // namespace
