// check_elf() and dlopen on libraries that a compiler made and something damaged.
#include <elf.h>

#include <algorithm>
#include <cstddef>
#include <random>

#include "hostile_fixture.hpp"
#include "plugin/loader/elf_check.hpp"

namespace triggerd::plugin {
namespace {

constexpr std::size_t kLimit = 64 << 20;

bool passes(const std::string& bytes) {
  return check_elf(bytes_in_memory(std::as_bytes(std::span(bytes)))).has_value();
}

template <class T>
T read_at(const std::string& bytes, std::size_t offset) {
  T value{};
  bytes.copy(reinterpret_cast<char*>(&value), sizeof value, offset);
  return value;
}

std::string without_section_headers(std::string bytes) {
  bytes.replace(offsetof(Elf64_Ehdr, e_shoff), sizeof(Elf64_Off), sizeof(Elf64_Off), '\0');
  bytes.replace(offsetof(Elf64_Ehdr, e_shnum), sizeof(Elf64_Half), sizeof(Elf64_Half), '\0');
  bytes.replace(offsetof(Elf64_Ehdr, e_shstrndx), sizeof(Elf64_Half), sizeof(Elf64_Half), '\0');
  return bytes;
}

// How much of the file its segments load.
std::uint64_t loaded_bytes(const std::string& bytes) {
  const auto header = read_at<Elf64_Ehdr>(bytes, 0);
  std::uint64_t end = 0;
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    const auto segment = read_at<Elf64_Phdr>(bytes, header.e_phoff + i * sizeof(Elf64_Phdr));
    if (segment.p_type == PT_LOAD) end = std::max(end, segment.p_offset + segment.p_filesz);
  }
  return end;
}

class DamagedTest : public HostileTest {
 protected:
  const std::string whole_ = read_file(hostile_plugin("nothing_wrong"), kLimit).value();
};

TEST_F(DamagedTest, TheWholeFilePasses) {
  EXPECT_TRUE(passes(whole_));
}

// dlopen of most of these would die with SIGBUS. The string ends where the file does, so that
// AddressSanitizer sees a read past it.
TEST_F(DamagedTest, EveryTruncationIsRefused) {
  for (std::size_t size = 0; size < whole_.size(); size += 64) {
    ASSERT_FALSE(passes(whole_.substr(0, size))) << size;
  }
  ASSERT_FALSE(passes(whole_.substr(0, whole_.size() - 1)));
}

TEST_F(DamagedTest, ATruncatedFileIsNamedAsThat) {
  Generation::Source half = source("half");
  half.file = dir_.write("half.so", std::string_view(whole_).substr(0, 8192));
  EXPECT_EQ(load_error(half),
            fmt::format("plugin \"half\": {} is truncated: its headers describe {} bytes, the file "
                        "has 8192; copy or build it again",
                        half.file.string(), loaded_bytes(whole_)));
}

TEST_F(DamagedTest, FlippedBytesAreSurvived) {
  std::mt19937 random(20'240'601);
  int refused = 0;
  for (int round = 0; round < 5'000; ++round) {
    std::string bytes = whole_;
    // Half of the flips hit the headers, where they matter.
    for (unsigned flips = 1 + random() % 16; flips > 0; --flips) {
      const std::size_t range = random() % 2 == 0 ? 64 + 56 * 12 : bytes.size();
      bytes[random() % range] = static_cast<char>(random());
    }
    if (!passes(bytes)) ++refused;
  }
  EXPECT_GT(refused, 500);
}

TEST_F(DamagedTest, AnotherArchitectureIsNamed) {
  std::string bytes = whole_;
  bytes.replace(offsetof(Elf64_Ehdr, e_machine), 2, {static_cast<char>(EM_PPC64), '\0'});
  Generation::Source foreign = source("foreign");
  foreign.file = dir_.write("foreign.so", bytes);
  EXPECT_TRUE(load_error(foreign).starts_with(
      fmt::format("plugin \"foreign\": {} was built for ppc64 (machine 21), this runtime runs on ",
                  foreign.file.string())))
      << load_error(foreign);
}

// Without section headers only dlsym can find the entry.
TEST_F(DamagedTest, StrippedSectionHeadersAreNoObstacle) {
  Generation::Source stripped = source("stripped");
  stripped.file = dir_.write("stripped.so", without_section_headers(whole_));
  EXPECT_TRUE(load(stripped));
  stripped.file =
      dir_.write("stripped.so",
                 without_section_headers(read_file(hostile_plugin("no_entry"), kLimit).value()));
  EXPECT_EQ(load_error(stripped),
            fmt::format("plugin \"stripped\": {} exports no trigger_plugin_entry_v1; build it with "
                        "trigger_add_plugin(), or export that function",
                        stripped.file.string()));
}

}  // namespace
}  // namespace triggerd::plugin
