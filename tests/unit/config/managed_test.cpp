#include "config/managed.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "config/load.hpp"
#include "config/parse_toml.hpp"
#include "config/write_tree.hpp"
#include "support/file_content.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::config {
namespace {

Node table_of(std::string_view toml) {
  auto parsed = parse_toml(toml);
  EXPECT_TRUE(parsed) << toml;
  return parsed ? *parsed : Node{{}, Node::Table{}};
}

class ManagedFileTest : public testing::Test {
 protected:
  ManagedFile read() {
    auto managed = ManagedFile::read(file());
    EXPECT_TRUE(managed);
    return *managed;
  }
  std::filesystem::path file() const { return dir_ / "managed.toml"; }

  test::TempDir dir_;
};

TEST_F(ManagedFileTest, WhatIsPutIsThereAfterAWrite) {
  ManagedFile managed = read();
  managed.put(Defined::alias, "plant",
              table_of("host = 'tcp://localhost:1883'\n[last_will]\ntopic = 'a \"b\"'"));
  managed.put(Defined::trigger, "see-all",
              table_of("alias = 'plant'\ntopics = [{ filter = 'a/#', qos = 2 }, 'b']\nservice = "
                       "'log'\n[settings]\nlimit = 1.0\n[settings.deep]\nx = [1, 2]"));
  ASSERT_TRUE(managed.write());
  EXPECT_EQ(
      test::content_of(file()),
      "# Aliases and triggers that were defined at run time. The runtime rewrites this file with\n"
      "# every change; comments are not kept.\n\n"
      "[aliases.plant]\n"
      "host = \"tcp://localhost:1883\"\n"
      "\n[aliases.plant.last_will]\n"
      "topic = \"a \\\"b\\\"\"\n"
      "\n[[triggers]]\n"
      "name = \"see-all\"\n"
      "alias = \"plant\"\n"
      "topics = [{ filter = \"a/#\", qos = 2 }, \"b\"]\n"
      "service = \"log\"\n"
      "\n[triggers.settings]\n"
      "limit = 1.0\n"
      "deep = { x = [1, 2] }\n");
  EXPECT_EQ(std::filesystem::status(file()).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  const ManagedFile again = read();
  EXPECT_EQ(again.text(), managed.text());
  EXPECT_NE(again.find(Defined::alias, "plant"), nullptr);
  EXPECT_NE(again.find(Defined::trigger, "see-all"), nullptr);
  EXPECT_EQ(again.find(Defined::trigger, "plant"), nullptr);
}

TEST_F(ManagedFileTest, ReplacingKeepsThePlaceAndRemovingLeavesTheOthers) {
  ManagedFile managed = read();
  for (const char* name : {"a", "b", "c"}) {
    managed.put(Defined::trigger, name, table_of("service = 'log'"));
  }
  managed.put(Defined::trigger, "b", table_of("service = 'other'\nname = 'ignored'"));
  EXPECT_TRUE(managed.remove(Defined::trigger, "a"));
  EXPECT_FALSE(managed.remove(Defined::trigger, "a"));
  EXPECT_FALSE(managed.remove(Defined::alias, "b"));
  const std::string text = managed.text();
  EXPECT_LT(text.find("name = \"b\"\nservice = \"other\""), text.find("name = \"c\""));
  EXPECT_TRUE(managed.remove(Defined::trigger, "b"));
  EXPECT_TRUE(managed.remove(Defined::trigger, "c"));
  EXPECT_EQ(managed.text().find("triggers]"), std::string::npos);
}

TEST_F(ManagedFileTest, AFileThatIsNoTomlIsAnErrorWithItsPlace) {
  std::ofstream(file()) << "[aliases\n";
  const auto managed = ManagedFile::read(file());
  ASSERT_FALSE(managed);
  EXPECT_NE(managed.error().message.find("managed.toml:1:"), std::string::npos);
}

// In a state folder that others may write.
TEST_F(ManagedFileTest, ALinkThatSomebodyPutInItsWayIsNotFollowed) {
  std::ofstream(dir_ / "precious") << "precious";
  std::filesystem::create_symlink(dir_ / "precious", dir_ / "managed.toml.new");
  ManagedFile managed = read();
  managed.put(Defined::alias, "plant", table_of("host = 'tcp://localhost'"));
  ASSERT_TRUE(managed.write());
  EXPECT_EQ(test::content_of(dir_ / "precious"), "precious");
  EXPECT_TRUE(std::filesystem::is_regular_file(std::filesystem::symlink_status(file())));
}

TEST_F(ManagedFileTest, WhereItCannotBeWrittenItStaysAsItWas) {
  ManagedFile managed = read();
  managed.put(Defined::alias, "plant", table_of("host = 'tcp://localhost'"));
  ASSERT_TRUE(managed.write());
  const std::string before = test::content_of(file());
  std::filesystem::create_directory(dir_ / "managed.toml.new");  // in its way
  managed.put(Defined::alias, "other", table_of("host = 'tcp://localhost'"));
  EXPECT_FALSE(managed.write());
  EXPECT_EQ(test::content_of(file()), before);
}

TEST(WriteTreeTest, WhatIsWrittenSaysTheSame) {
  const std::string toml =
      "a = \"line\\nbreak \\\\ \\\" \\u0001 é\"\nb = -1\nc = 1e300\nd = true\ne = 2026-01-01\nf = "
      "[]\n\"odd key\" = inf\n\n[t]\nx = {  }\n";
  const Node root = table_of(toml);
  const std::string written = to_toml(root);
  EXPECT_EQ(to_toml(table_of(written)), written);
  EXPECT_EQ(to_json(table_of(written)), to_json(root));
}

// U+202E shows what follows it backwards, in an editor too.
TEST(WriteTreeTest, EveryTextIsReadBackAndNoneTurnsItsLineAround) {
  std::string text = "a\xE2\x80\xAEgpj\xD8\x9C\x7f";
  for (char c = 1; c < 0x30; ++c) text += c;
  const Node root{{}, Node::Table{{text, {}, Node{{}, text}}}};
  const std::string written = to_toml(root);
  EXPECT_EQ(to_json(table_of(written)), to_json(root));
  EXPECT_TRUE(written.starts_with("\"a\\u202egpj\\u061c\\u007f\\u0001")) << written;
  EXPECT_EQ(written.find("\xE2\x80\xAE"), std::string::npos);
}

TEST(WriteTreeTest, JsonBecomesTheSameTable) {
  const auto table = parse_json_table(
      R"({"host":"tcp://x","qos":1,"ratio":1.5,"on":true,"none":null,"list":[1,{"a":"b"}]})");
  ASSERT_TRUE(table);
  EXPECT_EQ(to_json(*table),
            R"({"host":"tcp://x","qos":1,"ratio":1.5,"on":true,"list":[1,{"a":"b"}]})");
}

TEST(WriteTreeTest, WhatIsNoJsonObjectIsRefused) {
  for (const std::string& bad :
       {std::string("{"), std::string("[]"), std::string("1"), std::string("{\"a\":[null]}"),
        std::string("{\"a\":18446744073709551615}"), "{\"a\":" + std::string(10'000, '[')}) {
    EXPECT_FALSE(parse_json_table(bad)) << bad.substr(0, 40);
  }
}

TEST(WriteTreeTest, JsonNestsAsDeepAsAFile) {
  const auto levels = [](std::size_t arrays) {
    return "{\"a\":" + std::string(arrays, '[') + std::string(arrays, ']') + "}";
  };
  EXPECT_TRUE(parse_json_table(levels(kMaxNesting - 1)));
  const auto refused = parse_json_table(levels(kMaxNesting));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "it is nested deeper than 64 levels");
}

TEST(KeyAtTest, FindsTheKeyOfAPlace) {
  const Node table =
      table_of("host = 'x'\ntopics = ['a', { filter = 'b', qos = 7 }]\n[last_will]\nqos = 9");
  EXPECT_EQ(key_at(table, {1, 8}), "host");
  EXPECT_EQ(key_at(table, {1, 1}), "host");
  EXPECT_EQ(key_at(table, {2, 11}), "topics.0");
  EXPECT_EQ(key_at(table, {2, 38}), "topics.1.qos");
  EXPECT_EQ(key_at(table, {4, 7}), "last_will.qos");
  EXPECT_EQ(key_at(table, {9, 9}), "");
}

TEST(ManagedLoadTest, WhatIsSaidInsteadOfTheFileIsReadInItsPlace) {
  const test::TempDir dir;
  std::ofstream(dir / "triggers.toml") << "[aliases.a]\nhost = 'tcp://localhost'\n";
  const auto loaded =
      load(dir / "triggers.toml", process_environment(), {},
           "[[triggers]]\nname = 't'\nalias = 'a'\ntopics = ['x']\nservice = 'log'\n");
  ASSERT_TRUE(loaded);
  ASSERT_EQ(loaded->triggers.size(), 1U);
  EXPECT_EQ(loaded->triggers[0].place.file, (dir / "var" / "managed.toml").string());
  const auto refused =
      load(dir / "triggers.toml", process_environment(), {}, "[runtime]\nname = 'x'\n");
  EXPECT_FALSE(refused);
}

}  // namespace
}  // namespace triggerd::config
