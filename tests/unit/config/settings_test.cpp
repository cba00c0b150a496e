#include "config/settings.hpp"

#include <gtest/gtest.h>

#include "config/parse_toml.hpp"

namespace triggerd::config {
namespace {

class SettingsTest : public testing::Test {
 protected:
  Settings read(std::string_view toml) {
    const auto root = parse_toml(toml);
    EXPECT_TRUE(root) << root.error().message;
    return root ? read_settings(file_, *root) : Settings{};
  }
  std::string errors() {
    std::string text;
    for (const Diagnostic& d : std::move(diagnostics_).sorted()) text += to_string(d) + '\n';
    return text;
  }
  static std::string flat(const Settings& settings) {
    std::string text;
    for (const Setting& s : settings.flat) {
      constexpr const char* kTypes[] = {"string", "integer", "float", "bool"};
      text += fmt::format("{}={} {}\n", s.key, s.value, kTypes[static_cast<int>(s.type)]);
    }
    return text;
  }

 private:
  const Environment environment_ = [](const std::string& name) -> std::optional<std::string> {
    if (name == "NAME") return "edge \"1\"\n";
    return std::nullopt;
  };
  Diagnostics diagnostics_;
  const SourceFile file_{"triggers.toml", {}, environment_, diagnostics_};
};

TEST_F(SettingsTest, AreJsonAndFlatInTheOrderOfTheFile) {
  const Settings settings = read(R"(
limit = 80
hysteresis = 0.5
whole = 2.0
unit = "C"
active = true
[sensors]
b = [1, -2, [3]]
a = { on = false }
[[rules]]
name = "first"
[[rules]]
name = "second"
)");
  EXPECT_EQ(settings.json, R"({"limit":80,"hysteresis":0.5,"whole":2.0,"unit":"C","active":true,)"
                           R"("sensors":{"b":[1,-2,[3]],"a":{"on":false}},)"
                           R"("rules":[{"name":"first"},{"name":"second"}]})");
  EXPECT_EQ(flat(settings), R"(limit=80 integer
hysteresis=0.5 float
whole=2.0 float
unit=C string
active=true bool
sensors.b.0=1 integer
sensors.b.1=-2 integer
sensors.b.2.0=3 integer
sensors.a.on=false bool
rules.0.name=first string
rules.1.name=second string
)");
  EXPECT_EQ(errors(), "");
}

TEST_F(SettingsTest, EmptyOnesAreAnEmptyObject) {
  EXPECT_EQ(read("").json, "{}");
  const Settings settings = read("a = []\nb = {}\n");
  EXPECT_EQ(settings.json, R"({"a":[],"b":{}})");
  EXPECT_TRUE(settings.flat.empty());
}

TEST_F(SettingsTest, EscapeWhatJsonNeedsEscaped) {
  const Settings settings = read(R"("a\"b" = "c\\d\n\u0000\u00E9")");
  EXPECT_EQ(settings.json, "{\"a\\\"b\":\"c\\\\d\\n\\u0000\xC3\xA9\"}");
  ASSERT_EQ(settings.flat.size(), 1u);
  EXPECT_EQ(settings.flat[0].value, std::string("c\\d\n\0\xC3\xA9", 7));
}

TEST_F(SettingsTest, ExpandVariablesEverywhere) {
  const Settings settings = read("a = [{ b = \"${NAME}\" }]\nc = \"$${NAME}${X:-y}\"\n");
  EXPECT_EQ(settings.json, R"({"a":[{"b":"edge \"1\"\n"}],"c":"${NAME}y"})");
  EXPECT_EQ(flat(settings), "a.0.b=edge \"1\"\n string\nc=${NAME}y string\n");
}

TEST_F(SettingsTest, DatesAndTimesBecomeStrings) {
  const Settings settings = read("d = 1979-05-27\nt = 07:32:00\n");
  EXPECT_EQ(settings.json, R"({"d":"1979-05-27","t":"07:32:00"})");
  EXPECT_EQ(flat(settings), "d=1979-05-27 string\nt=07:32:00 string\n");
}

TEST_F(SettingsTest, NumbersKeepTheirValue) {
  const Settings settings = read(
      "a = 9223372036854775807\nb = -9223372036854775808\nc = 0.1\nd = 1e300\ne = -0.0\n"
      "f = 5e-324\n");
  EXPECT_EQ(settings.json,
            R"({"a":9223372036854775807,"b":-9223372036854775808,"c":0.1,"d":1e+300,"e":-0.0,)"
            R"("f":5e-324})");
}

TEST_F(SettingsTest, ReportWhatJsonCannotSay) {
  read("a = nan\nb = [inf, 1.0, -inf]\n");
  EXPECT_EQ(errors(),
            "triggers.toml:1:5: error: setting a must be a finite number; JSON has no other\n"
            "triggers.toml:2:6: error: setting b.0 must be a finite number; JSON has no other\n"
            "triggers.toml:2:16: error: setting b.2 must be a finite number; JSON has no other\n");
}

TEST_F(SettingsTest, MayNest32Levels) {
  const auto nested = [](int levels) {
    return "a = " + std::string(levels, '[') + "1" + std::string(levels, ']') + "\n";
  };
  EXPECT_EQ(read(nested(32)).flat.size(), 1u);
  EXPECT_EQ(errors(), "");
  read(nested(33));
  EXPECT_EQ(errors(), "triggers.toml:1:37: error: settings are nested deeper than 32 levels\n");
}

TEST_F(SettingsTest, HaveALimitOnceFlattened) {
  const auto repeated = [](std::size_t key_size) {
    std::string toml = std::string(key_size, 'k') + " = [1";
    for (int i = 1; i < 1000; ++i) toml += ",1";
    return toml + "]\n";
  };
  EXPECT_EQ(read(repeated(4'000)).flat.size(), 1000u);
  EXPECT_EQ(errors(), "");
  read(repeated(5'000));
  EXPECT_EQ(errors(),
            "triggers.toml:1:1: error: settings are larger than 4MiB with all their keys written "
            "out\n");
}

}  // namespace
}  // namespace triggerd::config
