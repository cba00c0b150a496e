#include "plugin/loader/elf_check.hpp"

#include <elf.h>
#include <sys/stat.h>
#include <trigger/plugin.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"
#include "base/text.hpp"

namespace triggerd::plugin {
namespace {

#if defined(__x86_64__)
constexpr unsigned kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr unsigned kMachine = EM_AARCH64;
#elif defined(__riscv) && __riscv_xlen == 64
constexpr unsigned kMachine = EM_RISCV;
#else
#error "name this machine's e_machine here"
#endif

// Far above any library: what a hostile header could make us keep in memory.
constexpr std::uint64_t kMaxNameBytes = 64u << 20;
constexpr std::string_view kEntryPrefix = "trigger_plugin_entry_v";

std::string_view machine_name(unsigned machine) {
  switch (machine) {
    case EM_386:
      return "x86 (32 bits)";
    case EM_ARM:
      return "arm (32 bits)";
    case EM_X86_64:
      return "x86-64";
    case EM_AARCH64:
      return "aarch64";
    case EM_RISCV:
      return "riscv";
    case EM_PPC64:
      return "ppc64";
    case EM_S390:
      return "s390";
    default:
      return "another machine";
  }
}

std::string_view type_name(unsigned type) {
  switch (type) {
    case ET_REL:
      return "an object file that was not linked (ET_REL)";
    case ET_EXEC:
      return "a program (ET_EXEC)";
    case ET_CORE:
      return "a core dump (ET_CORE)";
    default:
      return "of an unknown ELF type";
  }
}

// What a file that is no ELF may be, by how it begins.
std::string_view known_beginning(std::string_view bytes) {
  static constexpr std::pair<std::string_view, std::string_view> kKnown[] = {
      {"#!", ": it is a script"},
      {"!<arch>\n", ": it is a static library"},
      {"/* GNU ld script", ": it is a linker script"},
      {"MZ", ": it is a Windows library"},
      {"\xcf\xfa\xed\xfe", ": it is a macOS library"},
      {"PK\x03\x04", ": it is a ZIP archive"},
      {"\x1f\x8b", ": it is a gzip archive"},
  };
  for (const auto& [magic, what] : kKnown) {
    if (bytes.starts_with(magic)) return what;
  }
  return "";
}

// offset + count * size, as large as it gets where that does not fit 64 bits.
std::uint64_t end_of(std::uint64_t offset, std::uint64_t count, std::uint64_t size) {
  std::uint64_t bytes = 0;
  std::uint64_t end = 0;
  if (__builtin_mul_overflow(count, size, &bytes) || __builtin_add_overflow(offset, bytes, &end)) {
    return UINT64_MAX;
  }
  return end;
}

class Check {
 public:
  explicit Check(const ByteSource& file) : file_(file) {}

  Result<EntrySymbol> run() {
    return header()
        .and_then([this] { return segments(); })
        .and_then([this] { return sections(); })
        .and_then([this] { return symbols(); });
  }

 private:
  template <class T>
  Result<> read(std::uint64_t offset, std::span<T> into) const {
    if (end_of(offset, into.size(), sizeof(T)) > file_.size) {
      return truncated(end_of(offset, into.size(), sizeof(T)));
    }
    if (!file_.read(offset, std::as_writable_bytes(into))) {
      return fail("cannot be read: {}", errno_text(errno));
    }
    return {};
  }

  static tl::unexpected<Error> incomplete(std::string message) {
    return tl::make_unexpected(Error{std::move(message), kIncompleteFile});
  }

  tl::unexpected<Error> truncated(std::uint64_t wanted) const {
    return incomplete(fmt::format(
        "is truncated: its headers describe {} bytes, the file has {}; copy or build it again",
        wanted, file_.size));
  }

  Result<> header() {
    if (file_.size == 0) return incomplete("is empty; copy or build it again");
    std::array<char, 16> begin{};
    const std::size_t have = std::min<std::uint64_t>(begin.size(), file_.size);
    if (auto done = read(0, std::span(begin).first(have)); !done) return done;
    const std::string_view bytes(begin.data(), have);
    if (bytes.front() == '\0' && bytes.find_first_not_of('\0') == bytes.npos) {
      return incomplete("begins with zeroes, not with an ELF header; copy or build it again");
    }
    if (!bytes.starts_with(ELFMAG)) {
      return fail("begins with \"{}\", not with an ELF header{}; a plugin is a shared library",
                  printable(bytes.substr(0, 6)), known_beginning(bytes));
    }
    if (file_.size < sizeof header_) return truncated(sizeof header_);
    if (auto done = read(0, std::span(&header_, 1)); !done) return done;
    if (header_.e_ident[EI_DATA] != ELFDATA2LSB) {
      return fail("is not little endian; this runtime runs on {} ({})", machine_name(kMachine),
                  kMachine);
    }
    if (header_.e_machine != kMachine) {
      return fail("was built for {} (machine {}), this runtime runs on {} ({}); build it for that",
                  machine_name(header_.e_machine), header_.e_machine, machine_name(kMachine),
                  kMachine);
    }
    if (header_.e_ident[EI_CLASS] != ELFCLASS64) {
      return fail("is not a 64-bit library (ELF class {}), this runtime is ({}); build it for that",
                  header_.e_ident[EI_CLASS], ELFCLASS64);
    }
    if (header_.e_type != ET_DYN) {
      return fail("is {}, not a shared library; link it with -shared", type_name(header_.e_type));
    }
    return {};
  }

  Result<> segments() {
    if (header_.e_phnum == 0 || header_.e_phnum == PN_XNUM ||
        header_.e_phentsize != sizeof(Elf64_Phdr)) {
      return fail("is corrupt: {} program headers of {} bytes each; build it again",
                  header_.e_phnum, header_.e_phentsize);
    }
    std::vector<Elf64_Phdr> segments(header_.e_phnum);
    if (auto done = read(header_.e_phoff, std::span(segments)); !done) return done;
    std::uint64_t end_of_file = 0;
    std::uint64_t end_of_memory = 0;
    for (const Elf64_Phdr& segment : segments) {
      if (segment.p_type != PT_LOAD) continue;
      const std::uint64_t end = end_of(segment.p_vaddr, 1, segment.p_memsz);
      // The loader reserves one range from the first segment to the last and trusts the order.
      if (segment.p_memsz < segment.p_filesz || segment.p_vaddr < end_of_memory ||
          end == UINT64_MAX) {
        return fail("is corrupt: its segments overlap or are out of order; build it again");
      }
      end_of_memory = end;
      if (segment.p_filesz == 0) continue;  // all zeroes: its offset means nothing
      end_of_file = std::max(end_of_file, end_of(segment.p_offset, 1, segment.p_filesz));
    }
    if (end_of_memory == 0) return fail("is corrupt: it has nothing to load; build it again");
    if (end_of_file > file_.size) return truncated(end_of_file);
    return dynamic(segments);
  }

  // The loader reads the dynamic section where the segments put it in memory.
  static Result<> dynamic(const std::vector<Elf64_Phdr>& segments) {
    const auto dynamic = std::find_if(segments.begin(), segments.end(),
                                      [](const auto& s) { return s.p_type == PT_DYNAMIC; });
    if (dynamic == segments.end()) {
      return fail("has no dynamic section, so it is not a shared library; link it with -shared");
    }
    const std::uint64_t end = end_of(dynamic->p_vaddr, 1, dynamic->p_memsz);
    for (const Elf64_Phdr& segment : segments) {
      if (segment.p_type == PT_LOAD && dynamic->p_memsz >= sizeof(Elf64_Dyn) &&
          dynamic->p_vaddr >= segment.p_vaddr && end <= segment.p_vaddr + segment.p_filesz) {
        return {};
      }
    }
    return fail("is corrupt: its dynamic section lies outside of its segments; build it again");
  }

  Result<> sections() {
    if (header_.e_shoff == 0) return {};
    if (header_.e_shentsize != sizeof(Elf64_Shdr)) {
      return fail("is corrupt: section headers of {} bytes each; build it again",
                  header_.e_shentsize);
    }
    std::uint64_t count = header_.e_shnum;
    if (count == 0) {  // more than fit 16 bits: the first one says how many
      Elf64_Shdr first{};
      if (auto done = read(header_.e_shoff, std::span(&first, 1)); !done) return done;
      count = first.sh_size;
    }
    // Before the vector is made: `count` is whatever the file says.
    const std::uint64_t end = end_of(header_.e_shoff, count, sizeof(Elf64_Shdr));
    if (end > file_.size) return truncated(end);
    sections_.resize(count);
    return read(header_.e_shoff, std::span(sections_));
  }

  Result<EntrySymbol> symbols() const {
    const auto table = std::find_if(sections_.begin(), sections_.end(),
                                    [](const auto& s) { return s.sh_type == SHT_DYNSYM; });
    if (table == sections_.end()) return EntrySymbol::unknown;
    if (table->sh_entsize != sizeof(Elf64_Sym) || table->sh_link >= sections_.size()) {
      return fail("is corrupt: its symbol table has no names; build it again");
    }
    const Elf64_Shdr& strings = sections_[table->sh_link];
    if (strings.sh_size > kMaxNameBytes) {
      return fail("is corrupt: {} bytes of symbol names; build it again", strings.sh_size);
    }
    const std::uint64_t end = end_of(strings.sh_offset, 1, strings.sh_size);
    if (end > file_.size) return truncated(end);
    std::vector<char> names(strings.sh_size);
    if (auto done = read(strings.sh_offset, std::span(names)); !done) {
      return tl::make_unexpected(done.error());
    }
    return find_entry(*table, {names.data(), names.size()});
  }

  Result<EntrySymbol> find_entry(const Elf64_Shdr& table, std::string_view names) const {
    std::string_view other;
    std::array<Elf64_Sym, 512> block{};
    const std::uint64_t count = table.sh_size / sizeof(Elf64_Sym);
    for (std::uint64_t at = 0; at < count; at += block.size()) {
      const auto piece = std::span(block).first(std::min<std::uint64_t>(block.size(), count - at));
      const std::uint64_t offset = end_of(table.sh_offset, at, sizeof(Elf64_Sym));
      if (auto done = read(offset, piece); !done) return tl::make_unexpected(done.error());
      for (const Elf64_Sym& symbol : piece) {
        if (symbol.st_shndx == SHN_UNDEF || symbol.st_name >= names.size()) continue;
        std::string_view name = names.substr(symbol.st_name);
        name = name.substr(0, name.find('\0'));
        if (!name.starts_with(kEntryPrefix)) continue;
        if (name != TRIGGER_ENTRY_NAME) {
          other = name;
        } else if (const auto type = ELF64_ST_TYPE(symbol.st_info); type == STT_FUNC) {
          return EntrySymbol::found;
        } else {
          return fail("exports " TRIGGER_ENTRY_NAME
                      " as ELF symbol type {}, not as a function ({})",
                      type, STT_FUNC);
        }
      }
    }
    return other.empty() ? no_entry() : other_major(other);
  }

  static tl::unexpected<Error> no_entry() {
    return fail("exports no " TRIGGER_ENTRY_NAME
                "; build it with trigger_add_plugin(), or export that function");
  }

  static tl::unexpected<Error> other_major(std::string_view symbol) {
    return fail("exports {0} and no " TRIGGER_ENTRY_NAME
                ", so it was built for plugin ABI major {1}; this runtime has major {2}: rebuild "
                "the plugin "
                "against its trigger/plugin.h, or use a runtime of major {1}",
                printable(symbol), printable(symbol.substr(kEntryPrefix.size())),
                TRIGGER_ABI_MAJOR);
  }

  const ByteSource& file_;
  Elf64_Ehdr header_{};
  std::vector<Elf64_Shdr> sections_;
};

}  // namespace

ByteSource bytes_in_memory(std::span<const std::byte> bytes) {
  return {bytes.size(), [bytes](std::uint64_t offset, std::span<std::byte> into) {
            if (!into.empty()) std::memcpy(into.data(), bytes.data() + offset, into.size());
            return true;
          }};
}

Result<ByteSource> bytes_in_file(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return fail("cannot be read: {}", errno_text(errno));
  const auto read = [fd](std::uint64_t offset, std::span<std::byte> into) {
    while (!into.empty()) {
      const ssize_t got = ::pread(fd, into.data(), into.size(), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got == 0) errno = ENODATA;  // it has become shorter since
      if (got <= 0) return false;
      into = into.subspan(static_cast<std::size_t>(got));
      offset += static_cast<std::uint64_t>(got);
    }
    return true;
  };
  return ByteSource{static_cast<std::uint64_t>(status.st_size), read};
}

Result<EntrySymbol> check_elf(const ByteSource& file) {
  return Check(file).run();
}

}  // namespace triggerd::plugin
