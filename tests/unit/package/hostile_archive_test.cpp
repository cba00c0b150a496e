// Archives that nobody's `package pack` has written. Each is refused with its reason, and nothing
// of it is left outside of the folder that it was to be unpacked into.
#include <archive.h>
#include <archive_entry.h>

#include <functional>

#include "package/entry_name.hpp"
#include "package/manifest.hpp"
#include "package/unpack.hpp"
#include "unit/package/scene.hpp"

namespace triggerd::package {
namespace {

// An archive in memory, entry by entry, through libarchive.
class Builder {
 public:
  explicit Builder(std::vector<int> filters = {ARCHIVE_FILTER_GZIP},
                   int format = ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE)
      : writer_(archive_write_new()), bytes_(std::size_t{8} << 20) {
    archive_write_set_format(writer_, format);
    for (const int filter : filters) archive_write_add_filter(writer_, filter);
    archive_write_open_memory(writer_, bytes_.data(), bytes_.size(), &used_);
  }
  ~Builder() { archive_write_free(writer_); }
  Builder(const Builder&) = delete;
  Builder& operator=(const Builder&) = delete;

  using Change = std::function<void(archive_entry*)>;
  Builder& add(const std::string& name, const std::string& data, const Change& change = {}) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, static_cast<la_int64_t>(data.size()));
    if (change) change(entry);
    EXPECT_EQ(archive_write_header(writer_, entry), ARCHIVE_OK) << archive_error_string(writer_);
    if (!data.empty()) archive_write_data(writer_, data.data(), data.size());
    archive_entry_free(entry);
    return *this;
  }
  // The manifest of these files, each with the content "x".
  Builder& manifest(const std::vector<std::string>& names) {
    std::vector<ManifestEntry> entries;
    for (const std::string& name : names) entries.push_back({digest("x"), 1, name});
    return add(kManifestFile, manifest_text(entries));
  }
  static std::string digest(std::string_view text) {
    Digest digest;
    digest.add(text);
    return digest.hex();
  }
  std::string bytes() {
    archive_write_close(writer_);
    return {bytes_.data(), used_};
  }

 private:
  archive* writer_;
  std::vector<char> bytes_;
  std::size_t used_ = 0;
};

class HostileArchiveTest : public Scene {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(dir_ / "in/side");
    before_ = tree(dir_ / "in");
  }
  std::string unpacked(const std::string& bytes) {
    std::filesystem::remove_all(dir_ / "in/side");
    std::filesystem::create_directories(dir_ / "in/side");
    return error_of(unpack_bytes(bytes, dir_ / "in/side"));
  }
  void expect_refused(const std::string& bytes, const std::string& reason) {
    const std::string found = unpacked(bytes);
    EXPECT_NE(found.find(reason), std::string::npos) << found;
    std::filesystem::remove_all(dir_ / "in/side");
    EXPECT_EQ(tree(dir_ / "in"), before_) << "something is outside";
  }
  void expect_refused(Builder& builder, const std::string& reason) {
    expect_refused(builder.bytes(), reason);
  }
  std::string before_;
};

TEST_F(HostileArchiveTest, AGoodOneIsTaken) {
  for (const int filter : {ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_ZSTD, ARCHIVE_FILTER_NONE}) {
    Builder builder({filter});
    const std::string bytes = builder.manifest({"a", "b/c"}).add("a", "x").add("b/c", "x").bytes();
    EXPECT_EQ(unpacked(bytes), "done");
    EXPECT_EQ(tree(dir_ / "in/side"), "a: x\nb/c: x\n");
  }
}

TEST_F(HostileArchiveTest, NamesThatLeadOutside) {
  for (const char* name : {"/tmp/a", "../a", "b/../../a", "./a", "b//a"}) {
    expect_refused(Builder().manifest({"a"}).add(name, "x"), "cannot be the name of a file");
    expect_refused(Builder().manifest({name}).add(name, "x"), "cannot be the name of a file");
  }
}

TEST_F(HostileArchiveTest, NamesThatAreNotUtf8OrHaveSeveralSpellings) {
  for (const char* name : {"\xff\xfe", "caf\xc3\xa9", "cafe\xcc\x81", "a\\b", "con:", "a\tb"}) {
    Builder builder({ARCHIVE_FILTER_GZIP}, ARCHIVE_FORMAT_TAR_USTAR);
    const std::string found = unpacked(builder.manifest({name}).add(name, "x").bytes());
    EXPECT_NE(found, "done") << name;
  }
}

TEST_F(HostileArchiveTest, Links) {
  const auto symlink = [](archive_entry* entry) {
    archive_entry_set_filetype(entry, AE_IFLNK);
    archive_entry_set_symlink(entry, "/etc/passwd");
    archive_entry_set_size(entry, 0);
  };
  const auto hardlink = [](archive_entry* entry) {
    archive_entry_set_hardlink(entry, "a");
    archive_entry_set_size(entry, 0);
  };
  expect_refused(Builder().manifest({"a"}).add("a", "", symlink), "\"a\" is a link");
  expect_refused(Builder().manifest({"a", "b"}).add("a", "x").add("b", "", hardlink),
                 "\"b\" is a link");
  // A folder that is a link, and then a file in it.
  expect_refused(Builder().manifest({"b/a"}).add("b", "", symlink).add("b/a", "x"),
                 "\"b\" is a link");
  expect_refused(Builder().add(kManifestFile, "", symlink), "is a link");
}

TEST_F(HostileArchiveTest, WhatIsNoFile) {
  for (const auto type : {AE_IFDIR, AE_IFIFO, AE_IFCHR, AE_IFBLK}) {
    expect_refused(Builder().manifest({"a"}).add("a", "",
                                                 [type](archive_entry* entry) {
                                                   archive_entry_set_filetype(entry, type);
                                                   archive_entry_set_size(entry, 0);
                                                 }),
                   "is not a regular file");
  }
}

TEST_F(HostileArchiveTest, FilesThatAreThereTwice) {
  expect_refused(Builder().manifest({"a"}).add("a", "x").add("a", "x"),
                 "\"a\" is in the archive twice");
  expect_refused(Builder().manifest({"a", "a"}).add("a", "x"), "\"a\" appears twice");
  expect_refused(Builder().manifest({"a"}).add("a", "x").manifest({"a"}),
                 "reserved for the runtime");
}

TEST_F(HostileArchiveTest, NamesThatDifferInCaseAlone) {
  expect_refused(Builder().manifest({"A", "a"}).add("A", "x").add("a", "x"), "case-insensitive");
  expect_refused(Builder().manifest({"B/a", "b/c"}).add("B/a", "x"), "case-insensitive");
  expect_refused(Builder().manifest({"a", "a/b"}).add("a", "x"), "a file and a folder");
  expect_refused(Builder().manifest({"a"}).add("A", "x"), "not listed in MANIFEST");
}

TEST_F(HostileArchiveTest, MoreOrLessThanTheManifestNames) {
  expect_refused(Builder().manifest({"a"}).add("a", "x").add("b", "x"),
                 "\"b\" is in the archive but not listed in MANIFEST");
  expect_refused(Builder().manifest({"a", "b"}).add("a", "x"),
                 "\"b\" is listed in MANIFEST but missing from the archive");
  expect_refused(Builder().add("a", "x").manifest({"a"}), "its first file is \"a\"");
  expect_refused(Builder().add(kManifestFile, "triggerd package 1\n"), "lists no files");
  expect_refused(Builder().manifest({"local.toml"}).add("local.toml", "x"),
                 "reserved for the runtime");
}

TEST_F(HostileArchiveTest, OtherBytesThanTheManifestSays) {
  expect_refused(Builder().manifest({"a"}).add("a", "y"), "the digest of \"a\"");
  expect_refused(Builder().manifest({"a"}).add("a", "xx"),
                 "\"a\" has 2 bytes, but MANIFEST says 1");
  expect_refused(Builder().manifest({"a"}).add("a", ""), "\"a\" has 0 bytes, but MANIFEST says 1");
}

TEST_F(HostileArchiveTest, TooMuchOfAnything) {
  const auto of_size = [](const std::string& size) {
    return Builder::digest("x") + " " + size + " a\n";
  };
  expect_refused(Builder().add(kManifestFile, "triggerd package 1\n" + of_size("268435457")),
                 "a file in a package may have at most 268435456");
  expect_refused(Builder().add(kManifestFile, std::string(kMaxManifest + 1, 'a')), "has more than");
  std::vector<std::string> names;
  for (std::size_t i = 0; i <= kMaxEntries; ++i) names.push_back(std::to_string(100'000 + i));
  expect_refused(Builder().manifest(names), "more than 4096 files");
}

// 64 MiB of zeros in 64 KiB: what is unpacked ends with the size that the manifest says.
TEST_F(HostileArchiveTest, ABombWritesNoMoreThanItsManifestSays) {
  const std::string zeros(std::size_t{64} << 20, '\0');
  Builder builder({ARCHIVE_FILTER_ZSTD});
  const std::string bytes = builder.manifest({"a"}).add("a", zeros).bytes();
  ASSERT_LT(bytes.size(), std::size_t{1} << 20);
  EXPECT_NE(unpacked(bytes).find("has 67108864 bytes, but MANIFEST says 1"), std::string::npos);
  EXPECT_EQ(tree(dir_ / "in/side"), "");
}

TEST_F(HostileArchiveTest, ASparseFileIsNoWayAroundIt) {
  const auto sparse = [](archive_entry* entry) {
    archive_entry_set_size(entry, la_int64_t{1} << 40);
    archive_entry_sparse_add_entry(entry, (la_int64_t{1} << 40) - 1, 1);
  };
  expect_refused(Builder().manifest({"a"}).add("a", "x", sparse), "but MANIFEST says 1");
}

TEST_F(HostileArchiveTest, CompressedTwiceOrInAnotherWay) {
  Builder twice({ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_GZIP});
  expect_refused(twice.manifest({"a"}).add("a", "x"), "more than once");
  Builder xz({ARCHIVE_FILTER_XZ});
  expect_refused(xz.manifest({"a"}).add("a", "x"), "not a package archive");
  Builder zip(std::vector<int>{}, ARCHIVE_FORMAT_ZIP);
  expect_refused(zip.manifest({"a"}).add("a", "x"), "not a package archive");
}

TEST_F(HostileArchiveTest, CutOffAtEveryBlockAndGarbage) {
  Builder builder(std::vector<int>{});
  const std::string whole = builder.manifest({"a", "b"}).add("a", "x").add("b", "x").bytes();
  // The last two blocks of zeros, and the padding behind them, say nothing.
  const std::size_t end = whole.find_last_not_of('\0');
  for (std::size_t size = 0; size < end; size += 256) {
    EXPECT_NE(unpacked(whole.substr(0, size)), "done") << size;
  }
  for (std::size_t at = 0; at < end; at += 97) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
    (void)unpacked(damaged);  // it may be an owner's name that nobody reads; it must not crash
  }
  expect_refused("hello", "not a package archive");
  expect_refused("", "");
}

// Where fuzzing begins, and what it has found: see tests/fuzz/README.md.
TEST_F(HostileArchiveTest, TheCorpusOfTheFuzzerLeavesNothingOutside) {
  std::size_t good = 0;
  std::size_t bad = 0;
  for (const auto& entry : std::filesystem::directory_iterator(FUZZ_CORPUS)) {
    SCOPED_TRACE(entry.path().filename().string());
    const std::string found = unpacked(content_of(entry.path()));
    const bool is_good = entry.path().filename().string().starts_with("good");
    EXPECT_EQ(found == "done", is_good) << found;
    ++(is_good ? good : bad);
    std::filesystem::remove_all(dir_ / "in/side");
    EXPECT_EQ(tree(dir_ / "in"), before_);
  }
  EXPECT_GE(good, 2U);
  EXPECT_GE(bad, 3U);
}

TEST_F(HostileArchiveTest, WhatIsNoFileToReadFromIsRefused) {
  EXPECT_NE(error_of(unpack(dir_ / "nowhere", dir_ / "in/side")).find("cannot open"),
            std::string::npos);
  EXPECT_NE(error_of(unpack(dir_ / "in", dir_ / "in/side")).find("not a regular file"),
            std::string::npos);
}

}  // namespace
}  // namespace triggerd::package
