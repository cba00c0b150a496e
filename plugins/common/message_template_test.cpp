#include "common/message_template.hpp"

#include <gtest/gtest.h>

#include <string>
#include <trigger/testing.hpp>
#include <utility>

namespace plugin_common {
namespace {

MessageTemplate::Text expand(const char* text, trigger::testing::Message message,
                             MessageTemplate::Write write = nullptr) {
  const trigger::testing::detail::MessageMemory memory(std::move(message), "t", 1,
                                                       trigger::testing::detail::FakeClock());
  const MessageTemplate made("key", text);
  const trigger::Message view(memory.raw(), nullptr);
  return write == nullptr ? made.expand(view) : made.expand(view, write);
}

std::string text_of(const char* text, trigger::testing::Message message) {
  return expand(text, std::move(message)).text.value_or("none");
}

trigger::testing::Message message() {
  trigger::testing::Message made{"a/b", "x"};
  made.id = "id-1";
  made.qos = 2;
  made.attempt = 3;
  made.properties = {{0x03, 0, "", "text/plain"},
                     {0x08, 0, "", "to/me"},
                     {0x26, 0, "unit", "C"},
                     {0x26, 0, "unit", "F"},
                     {0x26, 0, "empty", ""}};
  return made;
}

TEST(MessageTemplate, PutsInAllThatAMessageHas) {
  EXPECT_EQ(text_of("{topic} {topic:2} {trigger} {id} {qos} {attempt}", message()),
            "a/b b t id-1 2 3");
  EXPECT_EQ(text_of("{content_type},{response_topic},{property:unit},{property:empty}", message()),
            "text/plain,to/me,C,");
  EXPECT_EQ(text_of("{{topic}}", message()), "{topic}");
}

TEST(MessageTemplate, SaysWhatAMessageLacks) {
  const auto level = expand("{topic:3}", message());
  EXPECT_FALSE(level.text);
  EXPECT_EQ(level.problem, "the topic \"a/b\" has no level 3");
  EXPECT_FALSE(level.lacks_property);
  for (const auto& [text, problem] :
       {std::pair("{property:x}", "the message has no user property \"x\""),
        std::pair("{content_type}", "the message has no content type"),
        std::pair("{response_topic}", "the message has no response topic")}) {
    const auto lacking = expand(text, {"a", "x"});
    EXPECT_FALSE(lacking.text);
    EXPECT_EQ(lacking.problem, problem);
    EXPECT_TRUE(lacking.lacks_property);
  }
}

TEST(MessageTemplate, WritesOnlyWhatIsPutInItsWay) {
  const auto twice = [](std::string& out, std::string_view value) {
    out += value;
    out += value;
  };
  EXPECT_EQ(expand("a{qos}a{topic:1}", message(), +twice).text, "a22aaa");
}

TEST(MessageTemplate, KnowsWhatIsTheSameForAll) {
  EXPECT_TRUE(MessageTemplate("key", "a {trigger}").is_the_same_for_all());
  EXPECT_FALSE(MessageTemplate("key", "a {attempt}").is_the_same_for_all());
  EXPECT_EQ(MessageTemplate("key", "a{topic}b{{").literals(), "ab{");
}

TEST(MessageTemplate, NamesWhatIsWrongWithIt) {
  const auto error_of = [](const char* text) -> std::string {
    try {
      const MessageTemplate made("headers.X", text);
    } catch (const trigger::SettingError& error) {
      return error.what();
    }
    return "none";
  };
  EXPECT_EQ(
      error_of("{}"),
      "setting \"headers.X\" has the unknown placeholder {}; use {topic}, {topic:N}, "
      "{trigger}, {id}, {qos}, {attempt}, {property:NAME}, {content_type} or {response_topic}");
  EXPECT_EQ(error_of("{property:}"),
            "setting \"headers.X\" has the placeholder {property:} without a name");
  EXPECT_EQ(error_of("{topic:}"),
            "setting \"headers.X\" has the placeholder {topic:}: levels are counted {topic:1}, "
            "{topic:2}...");
}

}  // namespace
}  // namespace plugin_common
