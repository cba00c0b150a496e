#include "plugin/loader/elf_check.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <random>
#include <string_view>

#include "base/file.hpp"
#include "support/temp_dir.hpp"
#include "unit/plugin/loader/elf_file.hpp"

namespace triggerd::plugin {
namespace {

#if defined(__x86_64__)
constexpr std::string_view kHere = "x86-64 (62)";
#elif defined(__aarch64__)
constexpr std::string_view kHere = "aarch64 (183)";
#else
constexpr std::string_view kHere = "riscv (243)";
#endif

// The error's text; "found" or "unknown" where there is none.
std::string verdict(std::span<const std::byte> bytes) {
  const auto result = check_elf(bytes_in_memory(bytes));
  if (!result) return result.error().message;
  return *result == EntrySymbol::found ? "found" : "unknown";
}
std::string verdict(const ElfFile& file) {
  return verdict(file.bytes());
}
std::string verdict(std::string_view text) {
  return verdict(std::as_bytes(std::span(text.data(), text.size())));
}

TEST(ElfCheck, FindsTheEntrySymbol) {
  EXPECT_EQ(verdict(ElfFile()), "found");
  EXPECT_EQ(verdict(ElfFile({{"other"}, {"trigger_plugin_entry_v2"}, {"trigger_plugin_entry_v1"}})),
            "found");
}

TEST(ElfCheck, ReadsAFileAsItReadsMemory) {
  const test::TempDir dir;
  const auto bytes = ElfFile().bytes();
  const auto path = dir.write("a.so", {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const auto source = bytes_in_file(fd.get());
  ASSERT_TRUE(source);
  EXPECT_EQ(check_elf(*source).value(), EntrySymbol::found);
}

TEST(ElfCheck, SaysThatAFileBecameShorterMeanwhile) {
  const test::TempDir dir;
  const auto bytes = ElfFile().bytes();
  const auto path = dir.write("a.so", {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const auto source = bytes_in_file(fd.get());
  std::filesystem::resize_file(path, 100);
  EXPECT_EQ(check_elf(*source).error().message, "cannot be read: No data available");
}

TEST(ElfCheck, SaysWhatAFileThatIsNoElfIs) {
  EXPECT_EQ(verdict(""), "is empty; copy or build it again");
  EXPECT_EQ(verdict("#!/bin/sh\necho hello\n"),
            "begins with \"#!/bin\", not with an ELF header: it is a script; a plugin is a shared "
            "library");
  EXPECT_EQ(verdict("!<arch>\nfoo.o/"),
            "begins with \"!<arch\", not with an ELF header: it is a static library; a plugin is a "
            "shared library");
  EXPECT_EQ(verdict("ab"),
            "begins with \"ab\", not with an ELF header; a plugin is a shared library");
  EXPECT_EQ(verdict(std::string_view("\0\x01\xff???", 6)),
            "begins with \"\\x00\\x01\\xff???\", not with an ELF header; a plugin is a shared "
            "library");
  EXPECT_EQ(verdict("\x7f"
                    "ELF"),
            "is truncated: its headers describe 64 bytes, the file has 4; copy or build it again");
}

TEST(ElfCheck, NamesBothMachines) {
  ElfFile file;
  file.header.e_machine = EM_S390;
  EXPECT_EQ(verdict(file), fmt::format("was built for s390 (machine 22), this runtime runs on {}; "
                                       "build it for that",
                                       kHere));
  file.header.e_machine = 0x1234;
  EXPECT_EQ(verdict(file), fmt::format("was built for another machine (machine 4660), this runtime "
                                       "runs on {}; build it for that",
                                       kHere));
}

TEST(ElfCheck, WantsA64BitLittleEndianLibrary) {
  ElfFile small;
  small.header.e_ident[EI_CLASS] = ELFCLASS32;
  EXPECT_EQ(verdict(small),
            "is not a 64-bit library (ELF class 1), this runtime is (2); build it for that");
  ElfFile big;
  big.header.e_ident[EI_DATA] = ELFDATA2MSB;
  EXPECT_EQ(verdict(big).substr(0, 22), "is not little endian; ");
}

TEST(ElfCheck, WantsASharedLibrary) {
  const std::pair<unsigned, std::string> types[] = {
      {ET_REL, "is an object file that was not linked (ET_REL), "},
      {ET_EXEC, "is a program (ET_EXEC), "},
      {ET_CORE, "is a core dump (ET_CORE), "},
      {77, "is of an unknown ELF type, "}};
  for (const auto& [type, text] : types) {
    ElfFile file;
    file.header.e_type = static_cast<Elf64_Half>(type);
    EXPECT_EQ(verdict(file), text + "not a shared library; link it with -shared");
  }
}

TEST(ElfCheck, ASegmentPastTheEndIsTruncation) {
  ElfFile file;
  file.segments[1].p_offset = 9000;
  file.segments[1].p_filesz = 50;
  EXPECT_EQ(verdict(file),
            fmt::format("is truncated: its headers describe 9050 bytes, the file has "
                        "{}; copy or build it again",
                        file.bytes().size()));
  file.segments[1].p_offset = ~Elf64_Off{0} - 10;
  EXPECT_TRUE(verdict(file).starts_with("is truncated: "));
}

TEST(ElfCheck, TablesPastTheEndAreTruncation) {
  ElfFile sections;
  sections.header.e_shnum = 4;
  EXPECT_TRUE(verdict(sections).starts_with("is truncated: "));
  ElfFile far_sections;
  far_sections.header.e_shoff = ~Elf64_Off{0} - 1;
  EXPECT_TRUE(verdict(far_sections).starts_with("is truncated: "));
  ElfFile extended;
  extended.header.e_shnum = 0;  // the count is in section 0, and it is absurd
  extended.sections[0].sh_size = ~Elf64_Xword{0} / 2;
  EXPECT_TRUE(verdict(extended).starts_with("is truncated: "));
  ElfFile segments;
  segments.header.e_phoff = 1 << 20;
  EXPECT_TRUE(verdict(segments).starts_with("is truncated: "));
  ElfFile names;
  names.sections[2].sh_offset = 1 << 20;
  EXPECT_TRUE(verdict(names).starts_with("is truncated: "));
  ElfFile symbols;
  symbols.sections[1].sh_size = 1 << 20;
  EXPECT_TRUE(verdict(symbols).starts_with("is truncated: "));
}

TEST(ElfCheck, CountsSectionsAlsoWhereTheyDoNotFitTheHeader) {
  ElfFile file;
  file.header.e_shnum = 0;
  file.sections[0].sh_size = 3;
  EXPECT_EQ(verdict(file), "found");
}

TEST(ElfCheck, RefusesSegmentsThatTheLoaderTripsOver) {
  const std::string overlap =
      "is corrupt: its segments overlap or are out of order; build it again";
  ElfFile order;
  order.segments[0].p_vaddr = 0x2000000;
  EXPECT_EQ(verdict(order), overlap);
  ElfFile shorter;
  shorter.segments[0].p_memsz = shorter.segments[0].p_filesz - 1;
  EXPECT_EQ(verdict(shorter), overlap);
  ElfFile past_memory;
  past_memory.segments[1].p_memsz = ~Elf64_Xword{0};
  EXPECT_EQ(verdict(past_memory), overlap);
  ElfFile nothing;
  nothing.segments[0].p_type = nothing.segments[1].p_type = PT_NOTE;
  EXPECT_EQ(verdict(nothing), "is corrupt: it has nothing to load; build it again");
  ElfFile none;
  none.header.e_phnum = 0;
  EXPECT_EQ(verdict(none), "is corrupt: 0 program headers of 56 bytes each; build it again");
  ElfFile stride;
  stride.header.e_phentsize = 55;
  EXPECT_EQ(verdict(stride), "is corrupt: 3 program headers of 55 bytes each; build it again");
}

TEST(ElfCheck, WantsADynamicSectionInMemory) {
  ElfFile without;
  without.segments[2].p_type = PT_NOTE;
  EXPECT_EQ(verdict(without),
            "has no dynamic section, so it is not a shared library; link it with -shared");
  const std::string outside =
      "is corrupt: its dynamic section lies outside of its segments; build it again";
  ElfFile beyond;
  beyond.segments[2].p_vaddr = 0x9000;
  EXPECT_EQ(verdict(beyond), outside);
  ElfFile partly;
  partly.segments[2].p_memsz = 0x9000;
  EXPECT_EQ(verdict(partly), outside);
  ElfFile empty;
  empty.segments[2].p_memsz = 0;
  EXPECT_EQ(verdict(empty), outside);
}

TEST(ElfCheck, RefusesSectionHeadersThatMakeNoSense) {
  ElfFile stride;
  stride.header.e_shentsize = 63;
  EXPECT_EQ(verdict(stride), "is corrupt: section headers of 63 bytes each; build it again");
  ElfFile link;
  link.sections[1].sh_link = 3;
  EXPECT_EQ(verdict(link), "is corrupt: its symbol table has no names; build it again");
  ElfFile symbol;
  symbol.sections[1].sh_entsize = 23;
  EXPECT_EQ(verdict(symbol), "is corrupt: its symbol table has no names; build it again");
  ElfFile names;
  names.sections[2].sh_size = Elf64_Xword{1} << 40;
  EXPECT_EQ(verdict(names), "is corrupt: 1099511627776 bytes of symbol names; build it again");
}

TEST(ElfCheck, SaysThatTheEntryIsMissing) {
  const std::string missing =
      "exports no trigger_plugin_entry_v1; build it with trigger_add_plugin(), or export that "
      "function";
  EXPECT_EQ(verdict(ElfFile(std::vector<ElfSymbol>())), missing);
  EXPECT_EQ(verdict(ElfFile({{"main"}, {"trigger_plugin_entry"}})), missing);
  // Needed from elsewhere is not exported.
  EXPECT_EQ(verdict(ElfFile({{"trigger_plugin_entry_v1", STT_FUNC, false}})), missing);
  ElfFile name_past_names;
  name_past_names.table[1].st_name = 100'000;
  EXPECT_EQ(verdict(name_past_names), missing);
}

TEST(ElfCheck, SaysForWhichMajorAPluginWasBuilt) {
  EXPECT_EQ(verdict(ElfFile({{"x"}, {"trigger_plugin_entry_v2"}})),
            "exports trigger_plugin_entry_v2 and no trigger_plugin_entry_v1, so it was built for "
            "plugin ABI major 2; this runtime has major 1: rebuild the plugin against its "
            "trigger/plugin.h, or use a runtime of major 2");
}

TEST(ElfCheck, WantsTheEntryToBeAFunction) {
  EXPECT_EQ(verdict(ElfFile({{"trigger_plugin_entry_v1", STT_OBJECT}})),
            "exports trigger_plugin_entry_v1 as ELF symbol type 1, not as a function (2)");
}

TEST(ElfCheck, FindsTheEntryBehindManySymbols) {
  std::vector<ElfSymbol> symbols(5000, ElfSymbol{"s"});
  symbols.push_back({"trigger_plugin_entry_v1"});
  EXPECT_EQ(verdict(ElfFile(symbols)), "found");
}

TEST(ElfCheck, CannotTellWithoutSectionHeaders) {
  ElfFile file;
  file.header.e_shoff = 0;
  file.header.e_shnum = 0;
  EXPECT_EQ(verdict(file), "unknown");
}

// The buffer ends where the file does, so that AddressSanitizer sees a read past it.
TEST(ElfCheck, EveryTruncationIsRefused) {
  const std::vector<std::byte> whole = ElfFile().bytes();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::vector<std::byte> part(whole.begin(), whole.begin() + static_cast<long>(size));
    EXPECT_FALSE(check_elf(bytes_in_memory(part))) << size;
  }
}

TEST(ElfCheck, FlippedBytesAreSurvived) {
  const std::vector<std::byte> whole = ElfFile().bytes();
  std::mt19937 random(20'240'601);
  unsigned refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::byte> bytes = whole;
    for (unsigned flips = 1 + random() % 8; flips > 0; --flips) {
      bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    }
    if (!check_elf(bytes_in_memory(bytes))) ++refused;
  }
  EXPECT_GT(refused, 1000u);
}

}  // namespace
}  // namespace triggerd::plugin
