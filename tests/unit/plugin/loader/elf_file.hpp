// Makes the bytes of small ELF libraries, right or wrong in one place: what check_elf() looks at
// and nothing else, so not one that could be loaded.
#pragma once

#include <elf.h>

#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <vector>

namespace triggerd::plugin {

struct ElfSymbol {
  std::string name;
  unsigned char type = STT_FUNC;
  bool defined = true;
};

// Layout: header, program headers, dynamic section, names, symbols, section headers. A test changes
// what it wants to be wrong and calls bytes().
struct ElfFile {
  explicit ElfFile(const std::vector<ElfSymbol>& symbols = {{"trigger_plugin_entry_v1"}}) {
    names.assign(1, '\0');
    table.resize(1);  // index 0 is always empty
    for (const ElfSymbol& symbol : symbols) {
      Elf64_Sym entry{};
      entry.st_name = static_cast<Elf64_Word>(names.size());
      entry.st_info = ELF64_ST_INFO(STB_GLOBAL, symbol.type);
      entry.st_shndx = symbol.defined ? 1 : SHN_UNDEF;
      entry.st_value = 0x1000;
      table.push_back(entry);
      names += symbol.name;
      names += '\0';
    }
    const std::size_t dynamic_at = sizeof header + sizeof segments;
    const std::size_t names_at = dynamic_at + 2 * sizeof(Elf64_Dyn);
    const std::size_t table_at = (names_at + names.size() + 7) / 8 * 8;
    const std::size_t sections_at = table_at + table.size() * sizeof(Elf64_Sym);

    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = ET_DYN;
#if defined(__x86_64__)
    header.e_machine = EM_X86_64;
#elif defined(__aarch64__)
    header.e_machine = EM_AARCH64;
#else
    header.e_machine = EM_RISCV;
#endif
    header.e_phoff = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 3;
    header.e_shoff = sections_at;
    header.e_shentsize = sizeof(Elf64_Shdr);
    header.e_shnum = 3;

    segments[0].p_type = PT_LOAD;
    segments[0].p_filesz = segments[0].p_memsz = sections_at;
    segments[1].p_type = PT_LOAD;
    segments[1].p_vaddr = 0x1000000;
    segments[1].p_memsz = 64;  // zeroes, which no byte of the file stands for
    segments[2].p_type = PT_DYNAMIC;
    segments[2].p_offset = segments[2].p_vaddr = dynamic_at;
    segments[2].p_filesz = segments[2].p_memsz = 2 * sizeof(Elf64_Dyn);

    sections[1].sh_type = SHT_DYNSYM;
    sections[1].sh_offset = table_at;
    sections[1].sh_size = table.size() * sizeof(Elf64_Sym);
    sections[1].sh_entsize = sizeof(Elf64_Sym);
    sections[1].sh_link = 2;
    sections[2].sh_type = SHT_STRTAB;
    sections[2].sh_offset = names_at;
    sections[2].sh_size = names.size();
  }

  std::vector<std::byte> bytes() const {
    const std::size_t names_at = sizeof header + sizeof segments + 2 * sizeof(Elf64_Dyn);
    const std::size_t table_at = (names_at + names.size() + 7) / 8 * 8;
    const std::size_t sections_at = table_at + table.size() * sizeof(Elf64_Sym);
    std::vector<std::byte> out(sections_at + sizeof sections);
    std::memcpy(out.data(), &header, sizeof header);
    std::memcpy(out.data() + sizeof header, segments, sizeof segments);
    std::memcpy(out.data() + names_at, names.data(), names.size());
    std::memcpy(out.data() + table_at, table.data(), table.size() * sizeof(Elf64_Sym));
    std::memcpy(out.data() + sections_at, sections, sizeof sections);
    return out;
  }

  Elf64_Ehdr header{};
  Elf64_Phdr segments[3]{};  // the content; zeroes; the dynamic section
  Elf64_Shdr sections[3]{};  // nothing; symbols; names
  std::string names;
  std::vector<Elf64_Sym> table;
};

}  // namespace triggerd::plugin
