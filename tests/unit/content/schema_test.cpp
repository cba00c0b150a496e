// JSON Schema: where a payload violates it.
#include "content/schema.hpp"

#include <gtest/gtest.h>

#include "content/evaluator.hpp"

namespace triggerd::content {
namespace {

constexpr const char* kReading = R"({
  "type": "object",
  "required": ["device", "temperature"],
  "properties": {
    "device": {"type": "string", "pattern": "^[a-z0-9]+$"},
    "temperature": {"type": "number", "maximum": 200},
    "tags": {"type": "array", "uniqueItems": true, "items": {"$ref": "#/definitions/tag"}}
  },
  "definitions": {"tag": {"type": "string"}, "a/b": {"type": "null"}}
})";

std::string violation(const std::string& schema, const std::string& payload) {
  const auto parsed = Schema::parse(schema);
  if (!parsed) return "no schema: " + parsed.error().message;
  const auto valid = parsed->validate(payload);
  return valid ? "" : valid.error().message;
}

TEST(Schema, TakesWhatKeepsToIt) {
  EXPECT_EQ(violation(kReading, R"({"device":"b7","temperature":21.5,"tags":["a","b"]})"), "");
  EXPECT_EQ(violation("true", "1"), "");
  EXPECT_EQ(violation("{}", ""), "");
}

TEST(Schema, SaysWhereItIsViolated) {
  const auto at = [](const std::string& payload) {
    const std::string found = violation(kReading, payload);
    return found.substr(0, found.find(':'));
  };
  EXPECT_EQ(at(R"({"device":"b7","temperature":"warm"})"), "/temperature");
  EXPECT_EQ(at(R"({"device":"b7","temperature":201})"), "/temperature");
  EXPECT_EQ(at(R"({"device":"B 7","temperature":1})"), "/device");
  EXPECT_EQ(at(R"({"device":"b7","temperature":1,"tags":["a",2]})"), "/tags/1");
  EXPECT_EQ(at("[]"), "the payload");
  EXPECT_NE(violation(kReading, R"({"device":"b7"})").find("temperature"), std::string::npos);
  EXPECT_EQ(violation(kReading, "ON"), "the payload is no JSON");
  EXPECT_EQ(
      violation(R"({"properties":{"a/b~":{"type":"string"}}})", R"({"a/b~":1})").find("/a~1b~0: "),
      0U);
}

TEST(Schema, CostsHaveABound) {
  const std::string longest(Schema::kLongestString, 'a');
  EXPECT_EQ(violation(kReading, R"({"temperature":1,"device":")" + longest + "\"}"), "");
  EXPECT_NE(violation(kReading, R"({"temperature":1,"device":")" + longest + "a\"}")
                .find("a string is longer than the 4096 bytes"),
            std::string::npos);
  EXPECT_NE(violation(R"({"patternProperties":{"a":{}}})", "{\"" + longest + "a\":1}")
                .find("a string is longer"),
            std::string::npos);
  EXPECT_NE(violation(R"({"format":"date"})", "\"" + longest + "0\"").find("a string is longer"),
            std::string::npos);
  EXPECT_EQ(violation("{}", "\"" + longest + "a\""), "");
  std::string many = "[0";
  for (std::size_t i = 1; i <= Schema::kMostElements; ++i) many += "," + std::to_string(i);
  EXPECT_NE(violation(R"({"uniqueItems":true})", many + "]").find("an array has more than"),
            std::string::npos);
  EXPECT_EQ(violation("{}", many + "]"), "");
}

TEST(Schema, IsRefusedWhereItIsNone) {
  for (const char* schema : {"", "[", "[]", "\"a\"", R"({"type":7})", R"({"$ref":"other.json"})",
                             R"({"$ref":"#/nowhere"})", R"({"minimum":"low"})"}) {
    EXPECT_EQ(violation(schema, "1").find("no schema: "), 0U) << schema;
  }
}

TEST(Schema, IsRefusedWhereItAppliesItselfWithoutEnd) {
  for (
      const char* schema :
      {R"({"$ref":"#"})", R"({"allOf":[{"$ref":"#"}]})",
       R"({"properties":{"a":{"not":{"anyOf":[{"$ref":"#/properties/a"}]}}}})",
       R"({"definitions":{"x":{"$ref":"#/definitions/y"},"y":{"if":{"$ref":"#/definitions/x"}}}})"}) {
    EXPECT_NE(violation(schema, "1").find("applies itself"), std::string::npos) << schema;
  }
  // A tree is defined by itself, one level down.
  const std::string tree = R"({"type":"object","properties":{"child":{"$ref":"#"}}})";
  EXPECT_EQ(violation(tree, R"({"child":{"child":{}}})"), "");
  EXPECT_EQ(violation(tree, R"({"child":{"child":1}})").find("/child/child: "), 0U);
}

TEST(EvaluatorSchema, LooksAtWhatIsWanted) {
  const Options options{
      .when = ".kind == \"reading\"", .transform = ".temperature", .schema = kReading};
  const auto made = Evaluator::make(options);
  ASSERT_TRUE(made);
  const auto evaluate = [&](std::string_view payload) {
    return (*made)->evaluate({.topic = "t", .payload = payload});
  };
  EXPECT_EQ(evaluate(R"({"kind":"hello"})").kind, Evaluation::Kind::filter);
  const Evaluation bad = evaluate(R"({"kind":"reading","device":"b7","temperature":"warm"})");
  EXPECT_EQ(bad.kind, Evaluation::Kind::fail);
  EXPECT_EQ(bad.reason.find("schema: /temperature: "), 0U) << bad.reason;
  const Evaluation good = evaluate(R"({"kind":"reading","device":"b7","temperature":3})");
  EXPECT_EQ(good.payloads, std::vector<std::string>{"3"});
}

}  // namespace
}  // namespace triggerd::content
