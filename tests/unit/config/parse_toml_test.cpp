#include "config/parse_toml.hpp"

#include <gtest/gtest.h>

namespace triggerd::config {
namespace {

// The keys of a table and, in brackets, of the tables in it.
std::string keys_of(const Node& node) {
  std::string keys;
  if (const auto* table = node.as<Node::Table>()) {
    for (const Member& member : *table) keys += member.key + '[' + keys_of(member.value) + ']';
  }
  return keys;
}

TEST(ParseTomlTest, KeepsTheOrderOfTheFile) {
  const auto root = parse_toml("z = 1\n[m]\n[a]\nc = 1\nb = 2\n[m.x]\n");
  ASSERT_TRUE(root) << root.error().message;
  EXPECT_EQ(keys_of(*root), "z[]m[x[]]a[c[]b[]]");
}

TEST(ParseTomlTest, KnowsEveryType) {
  const auto root = parse_toml(
      "a = 'x'\nb = -1\nc = 0.5\nd = true\ne = 1979-05-27\nf = 07:32:00\n"
      "g = 1979-05-27T07:32:00.5+01:00\nh = []\ni = {}\n");
  ASSERT_TRUE(root) << root.error().message;
  const auto& table = *root->as<Node::Table>();
  EXPECT_EQ(*table[0].value.as<std::string>(), "x");
  EXPECT_EQ(*table[1].value.as<std::int64_t>(), -1);
  EXPECT_EQ(*table[2].value.as<double>(), 0.5);
  EXPECT_EQ(*table[3].value.as<bool>(), true);
  EXPECT_EQ(table[4].value.as<Date>()->text, "1979-05-27");
  EXPECT_EQ(table[5].value.as<Date>()->text, "07:32:00");
  EXPECT_EQ(table[6].value.as<Date>()->text, "1979-05-27T07:32:00.5+01:00");
  const char* const names[] = {"a string",       "an integer",     "a float",
                               "a boolean",      "a date or time", "a date or time",
                               "a date or time", "an array",       "a table"};
  ASSERT_EQ(table.size(), std::size(names));
  for (std::size_t i = 0; i < table.size(); ++i) EXPECT_EQ(type_name(table[i].value), names[i]);
}

TEST(ParseTomlTest, KnowsThePlacesOfKeysAndValues) {
  const auto root = parse_toml("[a.b]\n  key = \"value\"\n[[c]]\nd.e = [ 1 ]\n");
  ASSERT_TRUE(root) << root.error().message;
  const auto place = [](Spot spot) { return std::pair(spot.line, spot.column); };
  const Member& a = (*root->as<Node::Table>())[0];
  const Member& b = (*a.value.as<Node::Table>())[0];
  const Member& key = (*b.value.as<Node::Table>())[0];
  EXPECT_EQ(place(a.key_spot), std::pair(1u, 2u));
  EXPECT_EQ(place(b.key_spot), std::pair(1u, 4u));
  EXPECT_EQ(place(b.value.spot), std::pair(1u, 1u));
  EXPECT_EQ(place(key.key_spot), std::pair(2u, 3u));
  EXPECT_EQ(place(key.value.spot), std::pair(2u, 9u));
  const Member& c = (*root->as<Node::Table>())[1];
  const Node& entry = (*c.value.as<Node::Array>())[0];
  const Member& d = (*entry.as<Node::Table>())[0];
  const Member& e = (*d.value.as<Node::Table>())[0];
  EXPECT_EQ(place(entry.spot), std::pair(3u, 1u));
  EXPECT_EQ(place(e.value.spot), std::pair(4u, 7u));
  EXPECT_EQ(place((*e.value.as<Node::Array>())[0].spot), std::pair(4u, 9u));
}

TEST(ParseTomlTest, NoErrorQuotesAValue) {
  for (const char* value : {"7hunter",
                            "hunter",
                            "true7hunter",
                            "truhunter",
                            "fhunter",
                            "False",
                            "infhunter",
                            "nahunter",
                            "+hunter",
                            "0xhunter",
                            "0bhunter",
                            "0ohunter",
                            "777777hunter",
                            "77777777777777777777",
                            "0x77777777777777777777",
                            "7.hunter",
                            "7e777",
                            "7_hunter",
                            "1979-77-27",
                            "1979-05-77",
                            "1979-05-27T77:00:00",
                            "77:00:00",
                            "\"hunter",
                            "'hunter",
                            "\"\"\"hunter",
                            "[hunter",
                            "{ a = hunter"}) {
    const auto root = parse_toml(std::string("password = ") + value + "\n");
    ASSERT_FALSE(root) << value;
    const std::string& message = root.error().message;
    EXPECT_TRUE(message.starts_with("not valid TOML")) << message;
    for (const char* part : {"hun", "77", "saw 'h", "tru7", "truh"}) {
      EXPECT_EQ(message.find(part), std::string::npos) << value << ": " << message;
    }
  }
}

TEST(ParseTomlTest, BearsDeepNesting) {
  for (const char* piece : {"[", "{a=", "a.", "a=[", "'a'."}) {
    std::string text = "x = ";
    for (int i = 0; i < 100'000; ++i) text += piece;
    const auto root = parse_toml(text);
    ASSERT_FALSE(root) << piece;
    EXPECT_NE(root.error().message.find("nested deeper"), std::string::npos)
        << root.error().message;
  }
  std::string fits = "x = ";
  for (unsigned i = 0; i < kMaxNesting; ++i) fits += "[";
  for (unsigned i = 0; i < kMaxNesting; ++i) fits += "]";
  EXPECT_TRUE(parse_toml(fits));
}

}  // namespace
}  // namespace triggerd::config
