#include "support/lossy_disk.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <string>

namespace triggerd::test {
namespace {

constexpr std::size_t kSector = 512;
constexpr std::uint64_t kSeeds = 300;

// What is left of "file" in all the ways a cut may leave it; "none" where it is not there.
std::set<std::string> remains(const std::function<void(LossyDisk&)>& use) {
  std::set<std::string> found;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    LossyDisk disk(kSector);
    use(disk);
    disk.cut(seed);
    const auto file = disk.find("file");
    found.insert(file == nullptr ? "none" : std::string(file->content()));
  }
  return found;
}

using Remains = std::set<std::string>;

// Writes it, syncs it.
void keep(LossyDisk& disk, const std::string& content) {
  const auto file = disk.create("file");
  LossyDisk::write(*file, 0, content);
  disk.sync(*file);
}

TEST(LossyDisk, KeepsWhatIsSynced) {
  EXPECT_EQ(remains([](LossyDisk& disk) { keep(disk, std::string(5000, 'a')); }),
            Remains{std::string(5000, 'a')});
}

TEST(LossyDisk, KeepsDropsAndTearsSectorsOnTheirOwn) {
  std::size_t kept = 0;
  std::size_t dropped = 0;
  std::size_t torn = 0;
  bool first_only = false;
  bool second_only = false;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    LossyDisk disk(kSector);
    keep(disk, std::string(3 * kSector, 'a'));
    // Two sectors and a part of the third.
    LossyDisk::write(*disk.find("file"), 0, std::string(2 * kSector + 100, 'b'));
    const Loss loss = disk.cut(seed);
    EXPECT_EQ(loss.kept + loss.dropped + loss.torn, 3U);
    kept += loss.kept;
    dropped += loss.dropped;
    torn += loss.torn;
    const std::string content(disk.find("file")->content());
    EXPECT_EQ(content.substr(2 * kSector + 100), std::string(kSector - 100, 'a'));
    const bool first = content.substr(0, kSector) == std::string(kSector, 'b');
    const bool second = content.substr(kSector, kSector) == std::string(kSector, 'b');
    first_only |= first && !second;
    second_only |= second && !first;
  }
  EXPECT_GT(kept, kSeeds / 2);
  EXPECT_GT(dropped, kSeeds / 2);
  EXPECT_GT(torn, kSeeds / 10);
  EXPECT_TRUE(first_only);
  EXPECT_TRUE(second_only);
}

TEST(LossyDisk, SameSeedSameLoss) {
  const auto left = [](std::uint64_t seed) {
    LossyDisk disk(kSector);
    LossyDisk::write(*disk.create("file"), 0, std::string(20 * kSector, 'b'));
    disk.sync(*disk.create("other"));
    disk.cut(seed);
    return std::string(disk.find("file")->content());
  };
  EXPECT_EQ(left(5), left(5));
  EXPECT_NE(left(5), left(6));
}

TEST(LossyDisk, ANameIsSafeOnceTheFileIsSynced) {
  EXPECT_EQ(remains([](LossyDisk& disk) { disk.create("file"); }), (Remains{"none", ""}));
  EXPECT_EQ(remains([](LossyDisk& disk) { disk.sync(*disk.create("file")); }), Remains{""});
  // The journal has one order: what was created before is there too.
  EXPECT_EQ(remains([](LossyDisk& disk) {
              disk.create("file");
              disk.sync(*disk.create("other"));
            }),
            Remains{""});
}

TEST(LossyDisk, ARemovedFileMayBeBackUnlessItsFolderWasSynced) {
  const auto remove = [](bool with_folder_synced) {
    return remains([with_folder_synced](LossyDisk& disk) {
      keep(disk, "a");
      EXPECT_TRUE(disk.remove("file", with_folder_synced));
      EXPECT_EQ(disk.find("file"), nullptr);
      EXPECT_FALSE(disk.remove("file", false));
    });
  };
  EXPECT_EQ(remove(false), (Remains{"none", "a"}));
  EXPECT_EQ(remove(true), Remains{"none"});
  // A successor's sync makes its predecessor's removal durable.
  EXPECT_EQ(remains([](LossyDisk& disk) {
              keep(disk, "a");
              disk.remove("file", false);
              keep(disk, "b");
            }),
            Remains{"b"});
}

TEST(LossyDisk, WhatFollowsAShorteningGoesWithIt) {
  EXPECT_EQ(remains([](LossyDisk& disk) {
              keep(disk, "old");
              disk.resize(*disk.find("file"), 1);
            }),
            (Remains{"o", "old"}));
  const Remains found = remains([](LossyDisk& disk) {
    keep(disk, "old");
    disk.resize(*disk.find("file"), 0);
    LossyDisk::write(*disk.find("file"), 0, "n");
  });
  EXPECT_TRUE(found.contains("old"));
  EXPECT_TRUE(found.contains("n"));
  EXPECT_FALSE(found.contains("nld"));
}

TEST(LossyDisk, LaterSyncsDoNotMakeUpForOneInVain) {
  const Remains found = remains([](LossyDisk& disk) {
    keep(disk, "a");
    const auto file = disk.find("file");
    LossyDisk::write(*file, 0, "b");
    disk.sync_in_vain(*file);
    EXPECT_EQ(file->content(), "b");
    LossyDisk::write(*file, 1, "c");
    disk.sync(*file);
    EXPECT_EQ(file->content(), "bc");
  });
  ASSERT_EQ(found.size(), 1U);
  EXPECT_TRUE(found.contains("ac") || found.contains("bc"));
}

}  // namespace
}  // namespace triggerd::test
