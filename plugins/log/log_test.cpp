#include <gtest/gtest.h>

#include <string>
#include <trigger/testing.hpp>

namespace {

using trigger::testing::Message;
using trigger::testing::Options;
using trigger::testing::Plugin;
using trigger::testing::Settings;

// The one line that `message` makes.
std::string line_of(const Message& message, const Settings& settings = {}) {
  const Plugin plugin(PLUGIN_FILE);
  auto instance = plugin.run("log", settings);
  const auto attempt = instance.send(message);
  EXPECT_EQ(attempt.code(), TRIGGER_OK);
  EXPECT_TRUE(instance.violations().empty());
  const auto lines = instance.log_lines();
  EXPECT_EQ(lines.size(), 1u);
  return lines.empty() ? "" : lines[0].text;
}

Message message_of(const std::string& payload) {
  Message message{"plant/a/temperature", payload};
  message.id = "id-7";
  return message;
}

TEST(Log, WritesTopicIdAndPayload) {
  EXPECT_EQ(line_of(message_of("21.5")),
            "plant/a/temperature qos=1 id=id-7 size=4 payload=\"21.5\"");
}

TEST(Log, SaysHowItWasDelivered) {
  Message message = message_of("");
  message.qos = 2;
  message.retain = true;
  message.dup = true;
  message.attempt = 3;
  EXPECT_EQ(line_of(message),
            "plant/a/temperature qos=2 retain dup attempt=3 id=id-7 size=0 payload=\"\"");
  message.dup = false;
  EXPECT_NE(line_of(message).find(" qos=2 retain attempt=3 "), std::string::npos);
  message.dup = true;
  message.retain = false;
  EXPECT_NE(line_of(message).find(" qos=2 dup attempt=3 "), std::string::npos);
}

TEST(Log, MakesBytesVisible) {
  EXPECT_EQ(line_of(message_of(std::string("a\0\n\xff\xc3\xa9\x1b", 7))),
            "plant/a/temperature qos=1 id=id-7 size=7 payload=\"a\\x00\\x0a\\xff\xc3\xa9\\x1b\"");
}

TEST(Log, CutsTheInsidesOfALongPayload) {
  EXPECT_EQ(line_of(message_of("0123456789"), {{"max_payload", 4}}),
            "plant/a/temperature qos=1 id=id-7 size=10 payload=\"0123...\"");
  EXPECT_EQ(line_of(message_of("0123"), {{"max_payload", 4}}),
            "plant/a/temperature qos=1 id=id-7 size=4 payload=\"0123\"");
  EXPECT_EQ(line_of(message_of("0123"), {{"max_payload", 0}}),
            "plant/a/temperature qos=1 id=id-7 size=4 payload=\"...\"");
  const std::string whole = line_of(message_of(std::string(1 << 20, 'x')));
  EXPECT_NE(whole.find("size=1048576 payload=\"" + std::string(200, 'x') + "...\""),
            std::string::npos);
}

TEST(Log, NamesProperties) {
  Message message = message_of("x");
  message.properties = {{0x01, 1, "", ""},           {0x02, 60, "", ""},
                        {0x03, 0, "", "text/plain"}, {0x09, 0, "", std::string("\0\x01", 2)},
                        {0x26, 0, "site", "north"},  {0x7F, 5, "", ""}};
  EXPECT_EQ(line_of(message),
            "plant/a/temperature qos=1 id=id-7 payload-format=1 message-expiry=60 "
            "content-type=\"text/plain\" correlation-data=\"\\x00\\x01\" user:site=\"north\" "
            "property-127=5 size=1 payload=\"x\"");
}

TEST(Log, WritesAtTheLevelThatIsSet) {
  const Plugin plugin(PLUGIN_FILE);
  const auto level_of = [&plugin](const Settings& settings) {
    auto instance = plugin.run("log", settings);
    instance.send({});
    return instance.log_lines().at(0).level;
  };
  EXPECT_EQ(level_of({}), TRIGGER_LOG_INFO);
  EXPECT_EQ(level_of({{"level", "trace"}}), TRIGGER_LOG_TRACE);
  EXPECT_EQ(level_of({{"level", "debug"}}), TRIGGER_LOG_DEBUG);
  EXPECT_EQ(level_of({{"level", "warn"}}), TRIGGER_LOG_WARN);
  EXPECT_EQ(level_of({{"level", "error"}}), TRIGGER_LOG_ERROR);
}

TEST(Log, WritesNothingBelowTheRuntimesLevel) {
  const Plugin plugin(PLUGIN_FILE);
  Options options;
  options.log_level = TRIGGER_LOG_WARN;
  auto instance = plugin.run("log", {}, options);
  EXPECT_EQ(instance.send({}).code(), TRIGGER_OK);
  EXPECT_TRUE(instance.log_lines().empty());
}

TEST(Log, NamesAWrongSetting) {
  const Plugin plugin(PLUGIN_FILE);
  EXPECT_EQ(plugin.why_not("log", {{"level", "loud"}}),
            "setting \"level\" must be trace, debug, info, warn or error");
  EXPECT_EQ(plugin.why_not("log", {{"level", 3}}),
            "setting \"level\" must be a string, not an integer");
  EXPECT_EQ(plugin.why_not("log", {{"max_payload", -1}}),
            "setting \"max_payload\" must not be negative");
  EXPECT_EQ(
      plugin.why_not("log", {{"max_payloads", 1}}),
      "setting \"max_payloads\" is unknown; this service knows level, max_payload; did you mean "
      "\"max_payload\"?");
}

}  // namespace
