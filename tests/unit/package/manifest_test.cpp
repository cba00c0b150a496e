#include "package/manifest.hpp"

#include <gtest/gtest.h>

#include "package/entry_name.hpp"

namespace triggerd::package {
namespace {

const std::string kDigest(64, 'a');
constexpr const char* kFirst = "triggerd package 1\n";

std::string line(const std::string& name, const std::string& size = "1") {
  return kDigest + " " + size + " " + name + "\n";
}
std::string error_of(const std::string& text) {
  const auto parsed = parse_manifest(text);
  return parsed ? "good" : parsed.error().message;
}

TEST(ManifestTest, WhatIsWrittenIsReadAgain) {
  const std::vector<ManifestEntry> entries{{kDigest, 5, "a/b.so"}, {kDigest, 0, "package.toml"}};
  const auto parsed = parse_manifest(manifest_text(entries));
  ASSERT_TRUE(parsed) << parsed.error().message;
  ASSERT_EQ(parsed->size(), 2U);
  EXPECT_EQ(parsed->at(0).name, "a/b.so");
  EXPECT_EQ(parsed->at(0).size, 5U);
  EXPECT_EQ(parsed->at(0).sha256, kDigest);
}

TEST(ManifestTest, AnythingElseIsRefused) {
  for (const std::string& wrong :
       {std::string(), std::string(kFirst), line("a"), "triggerd package 2\n" + line("a"),
        kFirst + line("a") + "x", kFirst + std::string("\n"), kFirst + line("b") + line("a"),
        kFirst + line("a") + line("a"), kFirst + line("a", "-1"), kFirst + line("a", ""),
        kFirst + line("a", "1x"), kFirst + line("a", "99999999999999999999"),
        kFirst + std::string(64, 'A') + " 1 a\n", kFirst + std::string(63, 'a') + " 1 a\n"}) {
    EXPECT_NE(error_of(wrong), "good") << wrong;
  }
}

TEST(ManifestTest, SizesAndNumbersHaveLimits) {
  const std::string most = std::to_string(kMaxEntrySize);
  EXPECT_EQ(error_of(kFirst + line("a", most)), "good");
  EXPECT_NE(error_of(kFirst + line("a", std::to_string(kMaxEntrySize + 1))), "good");
  std::string text = kFirst;
  for (const char* name : {"a", "b", "c", "d"}) text += line(name, most);
  EXPECT_EQ(error_of(text), "good");
  EXPECT_EQ(error_of(text + line("e")), "the files have more than 1073741824 bytes in total");
  text = kFirst;
  for (std::size_t i = 0; i < kMaxEntries; ++i) text += line(std::to_string(100'000 + i), "0");
  EXPECT_EQ(error_of(text), "good");
  EXPECT_EQ(error_of(text + line("z", "0")), "there are more than 4096 files");
}

TEST(ManifestTest, DigestsAreSha256) {
  Digest digest;
  digest.add("hel");
  digest.add("lo");
  EXPECT_EQ(digest.hex(), "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
}

TEST(EntryNameTest, OneSpellingAndNothingOutside) {
  for (const char* good : {"a", "package.toml", "plugins/a-b_c+d@2.so", "certs/deep/er/ca.pem"}) {
    EXPECT_TRUE(check_entry_name(good)) << good;
  }
  for (const char* wrong : {"",           "/a",
                            "../a",       "a/../b",
                            "a/..",       "./a",
                            "a//b",       "a/",
                            ".hidden",    "a/.hidden",
                            "-a",         "a b",
                            "a\\b",       "a\nb",
                            "C:a",        "ü",
                            "\xff",       "local.toml",
                            "LOCAL.toml", "MANIFEST",
                            "manifest",   "a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q"}) {
    EXPECT_FALSE(check_entry_name(wrong)) << wrong;
  }
  EXPECT_FALSE(check_entry_name(std::string("a\0b", 3)));
  EXPECT_TRUE(check_entry_name(std::string(200, 'a')));
  EXPECT_FALSE(check_entry_name(std::string(201, 'a')));
}

TEST(EntryNameTest, NoTwoThatSomeFileSystemTakesForOne) {
  EntryNames names;
  EXPECT_TRUE(names.add("plugins/a.so"));
  EXPECT_TRUE(names.add("plugins/b.so"));
  for (const char* wrong :
       {"plugins/a.so", "plugins/A.so", "Plugins/c.so", "plugins", "PLUGINS", "plugins/a.so/x"}) {
    EXPECT_FALSE(names.add(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace triggerd::package
