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
  EXPECT_FALSE(level.lacks_optional);
  for (const auto& [text, problem] :
       {std::pair("{property:x}", "the message has no user property \"x\""),
        std::pair("{content_type}", "the message has no content type"),
        std::pair("{response_topic}", "the message has no response topic")}) {
    const auto lacking = expand(text, {"a", "x"});
    EXPECT_FALSE(lacking.text);
    EXPECT_EQ(lacking.problem, problem);
    EXPECT_TRUE(lacking.lacks_optional);
  }
}

TEST(MessageTemplate, PutsInValuesOfThePayload) {
  const auto of = [](const char* text, const char* payload) {
    return text_of(text, {"a", payload});
  };
  EXPECT_EQ(of("{json:/id}, {json:/at/1/x}", R"({"id": "n\u00e9", "at": [0, {"x": "y"}]})"),
            "n\xC3\xA9, y");
  EXPECT_EQ(of("{json:/a~1b} {json:/c~0d} {json:/}", R"({"a/b": 1, "c~d": 2, "": 3})"), "1 2 3");
  EXPECT_EQ(of("{json:/a} {json:/b}", R"({"a": true, "b": false})"), "true false");
  EXPECT_EQ(of("{json:/0} {json:/1} {json:/2} {json:/3}",
               "[18446744073709551615, -9223372036854775808, 21.5, 9007199254740993]"),
            "18446744073709551615 -9223372036854775808 21.5 9007199254740993");
  EXPECT_EQ(of("[{json:/a}]", R"({"a": ""})"), "[]");
}

TEST(MessageTemplate, SaysWhatThePayloadLacks) {
  const std::string deep =
      "{\"a\":" + std::string(1'000'000, '[') + std::string(1'000'000, ']') + "}";
  for (const auto& [payload, problem] :
       {std::pair(std::string("{}"), "the payload has no \"/a/0\""),
        std::pair(std::string("[1]"), "the payload has no \"/a/0\""),
        std::pair(std::string("7"), "the payload has no \"/a/0\""),
        std::pair(std::string(R"({"a":[]})"), "the payload has no \"/a/0\""),
        std::pair(std::string(R"({"a":[null]})"), "\"/a/0\" of the payload is null"),
        std::pair(std::string(R"({"a":[[]]})"), "\"/a/0\" of the payload is an array"),
        std::pair(std::string(R"({"a":[{}]})"), "\"/a/0\" of the payload is an object"),
        std::pair(std::string(), "the payload is not JSON"),
        std::pair(std::string("ON"), "the payload is not JSON"),
        std::pair(std::string("{\"a\":[1]}\0", 10), "the payload is not JSON"),
        std::pair(std::string("{\"a\":[\"\xFF\"]}"), "the payload is not JSON"),
        std::pair(deep, "the payload has more than 100 levels of JSON")}) {
    const auto lacking = expand("{json:/a/0}", {"t", payload});
    EXPECT_FALSE(lacking.text) << payload.substr(0, 80);
    EXPECT_EQ(lacking.problem, problem);
    EXPECT_TRUE(lacking.lacks_optional);
  }
  EXPECT_EQ(expand("{json:/-}", {"t", "[1]"}).problem, "the payload has no \"/-\"");
  EXPECT_EQ(expand("{json:/01}", {"t", "[1,2]"}).problem, "the payload has no \"/01\"");
  EXPECT_EQ(expand("{json:/99999999999999999999}", {"t", "[1]"}).problem,
            "the payload has no \"/99999999999999999999\"");
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
  EXPECT_FALSE(MessageTemplate("key", "{json:/a}").is_the_same_for_all());
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
      "{trigger}, {id}, {qos}, {attempt}, {property:NAME}, {content_type}, {response_topic} or "
      "{json:/POINTER}");
  EXPECT_EQ(error_of("{json:}"),
            "setting \"headers.X\" has the placeholder {json:}: it needs a JSON pointer to a value "
            "in the payload, such as {json:/id}");
  EXPECT_EQ(error_of("{json:a/b}"),
            "setting \"headers.X\" has the placeholder {json:a/b}: what follows json: must be a "
            "JSON pointer, such as /sensor/0/name");
  EXPECT_EQ(error_of("{property:}"),
            "setting \"headers.X\" has the placeholder {property:} without a name");
  EXPECT_EQ(error_of("{topic:}"),
            "setting \"headers.X\" has the placeholder {topic:}: levels are counted {topic:1}, "
            "{topic:2}...");
}

}  // namespace
}  // namespace plugin_common
