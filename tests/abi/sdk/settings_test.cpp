// Settings as a service reads them, and as the test kit writes them.
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "under_test.hpp"

namespace {

using trigger::Context;
using trigger::Settings;

// A service whose constructor is what a test says it is.
struct Reader {
  static inline std::function<void(const Settings&)> read;
  explicit Reader(const Context& context) { read(context.settings()); }
  trigger::Verdict handle(const trigger::Message&) { return trigger::Verdict::ok(); }
};

// What `read` throws when it sees `settings`, or "".
std::string error_of(const trigger::testing::Settings& settings,
                     std::function<void(const Settings&)> read) {
  Reader::read = std::move(read);
  return under_test::plugin_of<Reader>().why_not("service", settings);
}

TEST(SdkSettings, AreRead) {
  const trigger::testing::Settings settings = {
      {"limit", 80},        {"limits.high", 2.5}, {"on", true},        {"topic", "a/\"b\""},
      {"sensors.0", "one"}, {"sensors.1", "two"}, {"most", INT64_MIN},
  };
  EXPECT_EQ(error_of(settings,
                     [](const Settings& s) {
                       EXPECT_EQ(s.integer("limit"), 80);
                       EXPECT_EQ(s.number("limit"), 80.0);
                       EXPECT_EQ(s.number("limits.high"), 2.5);
                       EXPECT_TRUE(s.boolean("on"));
                       EXPECT_EQ(s.text("topic"), "a/\"b\"");
                       EXPECT_EQ(s.text("sensors.1"), "two");
                       EXPECT_EQ(s.integer("most"), INT64_MIN);
                       EXPECT_EQ(s.leaves().size(), 7u);
                       EXPECT_EQ(s.json(),
                                 "{\"limit\":80,\"limits\":{\"high\":2.5},\"on\":true,"
                                 "\"topic\":\"a/\\\"b\\\"\",\"sensors\":[\"one\",\"two\"],"
                                 "\"most\":-9223372036854775808}");
                     }),
            "");
}

TEST(SdkSettings, HaveDefaults) {
  EXPECT_EQ(error_of({{"limit", 80}},
                     [](const Settings& s) {
                       EXPECT_EQ(s.number("limit", 1), 80);
                       EXPECT_EQ(s.number("other", 1.5), 1.5);
                       EXPECT_EQ(s.integer("other", -7), -7);
                       EXPECT_EQ(s.text("other", "x"), "x");
                       EXPECT_FALSE(s.boolean("other", false));
                       EXPECT_TRUE(s.boolean("other", true));
                     }),
            "");
  EXPECT_EQ(error_of({}, [](const Settings& s) { EXPECT_EQ(s.json(), "{}"); }), "");
}

TEST(SdkSettings, KnowWhatIsThere) {
  EXPECT_EQ(error_of({{"limits.high", 1}},
                     [](const Settings& s) {
                       EXPECT_TRUE(s.has("limits.high"));
                       EXPECT_TRUE(s.has("limits"));
                       EXPECT_FALSE(s.has("limit"));
                       EXPECT_FALSE(s.has("limits.hig"));
                       EXPECT_FALSE(s.has("limits.high.er"));
                     }),
            "");
}

TEST(SdkSettings, NameWhatIsMissing) {
  EXPECT_EQ(error_of({}, [](const Settings& s) { s.number("a.b"); }),
            "setting \"a.b\" is missing; it must be a number");
  EXPECT_EQ(error_of({}, [](const Settings& s) { s.text("a"); }),
            "setting \"a\" is missing; it must be a string");
  EXPECT_EQ(error_of({}, [](const Settings& s) { s.integer("a"); }),
            "setting \"a\" is missing; it must be an integer");
  EXPECT_EQ(error_of({}, [](const Settings& s) { s.boolean("a"); }),
            "setting \"a\" is missing; it must be true or false");
}

TEST(SdkSettings, NameWhatHasTheWrongTypeAndDoNotQuoteIt) {
  EXPECT_EQ(error_of({{"a", "secret"}}, [](const Settings& s) { s.number("a", 1); }),
            "setting \"a\" must be a number, not a string");
  EXPECT_EQ(error_of({{"a", 2.0}}, [](const Settings& s) { s.integer("a", 1); }),
            "setting \"a\" must be an integer, not a number");
  EXPECT_EQ(error_of({{"a", 1}}, [](const Settings& s) { s.boolean("a", true); }),
            "setting \"a\" must be true or false, not an integer");
  EXPECT_EQ(error_of({{"a", true}}, [](const Settings& s) { s.text("a", ""); }),
            "setting \"a\" must be a string, not true or false");
  EXPECT_EQ(error_of({{"a.b", 1}}, [](const Settings& s) { s.number("a", 1); }),
            "setting \"a\" must be a number, not a table or an array");
}

TEST(SdkSettings, RefuseNumbersThatAreNone) {
  const auto number = [](const Settings& s) { s.number("a"); };
  for (const char* text : {"inf", "nan", "-inf", "1e999", "", "1x", "0x10"}) {
    trigger::testing::Setting setting("a", text);
    setting.type = TRIGGER_SETTING_FLOAT;
    EXPECT_EQ(error_of({setting}, number), "setting \"a\" must be a finite number") << text;
  }
  trigger::testing::Setting huge("a", "9223372036854775808");
  huge.type = TRIGGER_SETTING_INTEGER;
  EXPECT_EQ(error_of({huge}, [](const Settings& s) { s.integer("a"); }),
            "setting \"a\" must be a 64-bit integer");
}

TEST(SdkSettings, SayWhatIsMissingAndMayBeMisspelt) {
  const auto read = [](const Settings& s) { s.number("limit_celsius"); };
  EXPECT_EQ(error_of({{"limit_celcius", 80}}, read),
            "setting \"limit_celsius\" is missing; it must be a number; is it \"limit_celcius\"?");
  EXPECT_EQ(error_of({{"topic", "a"}}, read),
            "setting \"limit_celsius\" is missing; it must be a number");
}

TEST(SdkSettings, RefuseWhatIsUnknown) {
  const auto read = [](const Settings& s) { s.require_known({"limit", "sensors"}); };
  EXPECT_EQ(error_of({{"limit", 1}, {"sensors.0.name", "a"}}, read), "");
  EXPECT_EQ(error_of({{"limit", 1}, {"limits", 1}}, read),
            "setting \"limits\" is unknown; this service knows limit, sensors; did you mean "
            "\"limit\"?");
  EXPECT_EQ(error_of({{"limit", 1}, {"colour", 1}}, read),
            "setting \"colour\" is unknown; this service knows limit, sensors");
  EXPECT_EQ(
      error_of({{std::string(100, 'l'), 1}}, read),
      "setting \"" + std::string(100, 'l') + "\" is unknown; this service knows limit, sensors");
  EXPECT_EQ(error_of({{"a", 1}}, [](const Settings& s) { s.require_known({}); }),
            "setting \"a\" is unknown; this service takes no settings");
}

}  // namespace
