#include "common/topic_template.hpp"

#include <gtest/gtest.h>

#include <string>
#include <trigger/testing.hpp>
#include <utility>

namespace plugin_common {
namespace {

std::string topic_of(const char* text, trigger::testing::Message message,
                     const char* trigger = "t") {
  const trigger::testing::detail::MessageMemory memory(std::move(message), trigger, 1,
                                                       trigger::testing::detail::FakeClock());
  const TopicTemplate::Topic result =
      TopicTemplate("topic", text).expand(trigger::Message(memory.raw(), nullptr));
  return result.topic ? *result.topic : "problem: " + result.problem;
}

std::string expand(const char* text, const char* topic, const char* trigger = "t") {
  return topic_of(text, trigger::testing::Message{topic, "x"}, trigger);
}

std::string error_of(const char* text) {
  try {
    const TopicTemplate made("alert_topic", text);
  } catch (const trigger::SettingError& error) {
    return error.what();
  }
  return "none";
}

TEST(TopicTemplate, PutsInTopicLevelsAndTrigger) {
  EXPECT_EQ(expand("copy/{topic}", "a/b"), "copy/a/b");
  EXPECT_EQ(expand("{topic:2}/{topic:1}", "a/b/c"), "b/a");
  EXPECT_EQ(expand("{trigger}/x", "a", "hot"), "hot/x");
  EXPECT_EQ(expand("{topic:3}", "a/b/c"), "c");
  EXPECT_EQ(expand("fixed", "a"), "fixed");
}

TEST(TopicTemplate, KeepsEmptyLevels) {
  EXPECT_EQ(expand("x/{topic:1}/y", "/a"), "x//y");
  EXPECT_EQ(expand("x{topic:2}", "a/"), "x");
}

TEST(TopicTemplate, PutsInValuesOfThePayload) {
  const auto of = [](const char* text, const char* payload) {
    return topic_of(text, trigger::testing::Message{"a/b", payload});
  };
  EXPECT_EQ(of("x/{json:/id}/{json:/at/1}/{topic:2}", R"({"id": "a b", "at": [1, 2]})"),
            "x/a b/2/b");
  EXPECT_EQ(of("{json:/a}", R"({"a": "b/c"})"), "b/c");
  EXPECT_EQ(of("{json:/a}", R"({"a": "{trigger}"})"), "{trigger}");
}

TEST(TopicTemplate, ChecksWhatThePayloadMakesOfATopic) {
  const auto of = [](const char* payload) {
    return topic_of("{json:/a}", trigger::testing::Message{"t", payload});
  };
  const std::string problem = "problem: the template \"{json:/a}\" does not fit this message: ";
  EXPECT_EQ(of(R"({"a": ""})"), problem + "the topic would be empty");
  EXPECT_EQ(of(R"({"a": "x/#"})"),
            problem + "the topic would be \"x/#\", but + and # are only for filters");
  EXPECT_EQ(of(R"({"a": "x+"})"),
            problem + "the topic would be \"x+\", but + and # are only for filters");
  EXPECT_EQ(of("{}"), problem + "the payload has no \"/a\"");
  EXPECT_EQ(of("ON"), problem + "the payload is not JSON");
}

TEST(TopicTemplate, DoesNotExpandWhatItPutIn) {
  EXPECT_EQ(expand("{topic}/{trigger}", "{trigger}/{topic}", "{topic}"),
            "{trigger}/{topic}/{topic}");
}

TEST(TopicTemplate, WritesBracesThatAreDoubled) {
  EXPECT_EQ(expand("{{topic}}", "a"), "{topic}");
  EXPECT_EQ(expand("{{{topic}}}", "a"), "{a}");
}

TEST(TopicTemplate, NamesWhatIsWrongWithIt) {
  EXPECT_EQ(error_of(""), "setting \"alert_topic\" must not be empty");
  EXPECT_EQ(error_of("a/{topic"),
            "setting \"alert_topic\" has a { without its }; write {{ for a brace");
  EXPECT_EQ(error_of("a}b"), "setting \"alert_topic\" has a } without its {; write }} for a brace");
  EXPECT_EQ(error_of("{topics}"),
            "setting \"alert_topic\" has the unknown placeholder {topics}; use {topic}, "
            "{topic:N}, {trigger} or {json:/POINTER}");
  EXPECT_EQ(error_of("{json:}"),
            "setting \"alert_topic\" has the placeholder {json:}: it needs a JSON pointer to a "
            "value in the payload, such as {json:/id}");
  EXPECT_EQ(error_of("{json:id}"),
            "setting \"alert_topic\" has the placeholder {json:id}: what follows json: must be a "
            "JSON pointer, such as /sensor/0/name");
  EXPECT_NE(error_of("{json:/a~2}"), "none") << "~0 and ~1 are all that there is";
  for (const char* level : {"{topic:0}", "{topic:}", "{topic:x}", "{topic:-1}", "{topic:1x}",
                            "{topic:99999999999999999999}"}) {
    EXPECT_NE(error_of(level).find("levels are counted {topic:1}, {topic:2}"), std::string::npos)
        << level;
  }
  for (const char* wildcard : {"a/+/b", "a/#", "{topic}/#"}) {
    EXPECT_EQ(error_of(wildcard),
              "setting \"alert_topic\" must not contain + or #, which are only for filters");
  }
}

TEST(TopicTemplate, SaysWhyAMessageDoesNotFit) {
  EXPECT_EQ(expand("{topic:3}", "a/b"),
            "problem: the template \"{topic:3}\" does not fit this message: the topic \"a/b\" has "
            "no level 3");
  EXPECT_EQ(
      expand("{topic:1}", "/a"),
      "problem: the template \"{topic:1}\" does not fit this message: the topic would be empty");
  EXPECT_EQ(expand("{trigger}", "a", "x+y"),
            "problem: the template \"{trigger}\" does not fit this message: the topic would be "
            "\"x+y\", but + and # are only for filters");
  const std::string longest(65535, 'a');
  EXPECT_EQ(expand("{topic}", longest.c_str()), longest);
  EXPECT_NE(expand("x{topic}", longest.c_str()).find("more than 65535 bytes"), std::string::npos);
}

}  // namespace
}  // namespace plugin_common
