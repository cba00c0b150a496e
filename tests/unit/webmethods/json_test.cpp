#include "webmethods/json.hpp"

#include <gtest/gtest.h>

namespace triggerd::webmethods {
namespace {

TEST(WebmethodsJsonTest, ValuesKnowTheirLine) {
  const auto root = parse_json("{\n\"a\": 1\n,\n\"b\":\n[true,\n\"x\\n\", 2.5\n],\"c\":null}");
  ASSERT_TRUE(root) << root.error().text;
  ASSERT_EQ(root->members.size(), 3u);
  EXPECT_EQ(root->line, 1u);
  EXPECT_EQ(root->members[0].value.line, 2u);
  EXPECT_EQ(root->members[0].value.integer, 1);
  const Value& list = root->members[1].value;
  EXPECT_EQ(list.line, 5u);
  ASSERT_EQ(list.items.size(), 3u);
  EXPECT_EQ(list.items[0].line, 5u);
  EXPECT_EQ(list.items[1].line, 6u);
  EXPECT_EQ(list.items[1].text, "x\n");
  EXPECT_EQ(list.items[2].line, 6u);
  EXPECT_EQ(list.items[2].text, "2.5");
  EXPECT_EQ(root->members[2].value.kind, Value::Kind::null);
}

TEST(WebmethodsJsonTest, WhatIsNoJsonIsAnError) {
  for (const char* text : {"", "{", "{\"a\" 1}", "[1,]", "nothing", "{} {}", "\"\xff\"", "1e999"}) {
    EXPECT_FALSE(parse_json(text)) << text;
  }
  const auto missing = parse_json("{\n\"a\": 1\n\"b\": 2\n}");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().line, 3u) << missing.error().text;
}

TEST(WebmethodsJsonTest, AHugeNumberIsNoIntegerAndNoCrash) {
  const auto root = parse_json("18446744073709551615");
  ASSERT_TRUE(root);
  EXPECT_EQ(root->kind, Value::Kind::fraction);
}

TEST(WebmethodsJsonTest, DepthAndSizeHaveAnEnd) {
  EXPECT_TRUE(parse_json(std::string(32, '[') + std::string(32, ']')));
  const auto deep = parse_json(std::string(100'000, '['));
  ASSERT_FALSE(deep);
  EXPECT_NE(deep.error().text.find("deep"), std::string::npos);
  EXPECT_FALSE(parse_json(std::string((16U << 20) + 1, ' ')));
}

}  // namespace
}  // namespace triggerd::webmethods
