// Whether a file is a library that dlopen survives, and that was built for us.
//
// dlopen has no error path for a file that ends before its segments do: it maps them, and the
// process dies with SIGBUS. And by the time dlopen returns, the library's constructors have run. So
// whatever can be found out from the file alone is checked here, before.
//
// A file whose headers agree with its size, but whose content is nonsense, passes.
//
// Pure functions. [any] The input may be hostile: every offset, size and count is checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "base/result.hpp"

namespace triggerd::plugin {

// `size` bytes that can be read in pieces.
struct ByteSource {
  std::uint64_t size = 0;
  // Fills `into` from `offset` on, a range within `size`. False: it cannot be read.
  std::function<bool(std::uint64_t offset, std::span<std::byte> into)> read;
};
ByteSource bytes_in_memory(std::span<const std::byte> bytes);
// `fd` is a regular file that stays open while the source is used.
Result<ByteSource> bytes_in_file(int fd);

enum class EntrySymbol {
  found,
  unknown,  // the section headers are stripped, so only dlsym can tell
};

// The file has to be ELF64, little endian, for our machine, ET_DYN, complete, dynamic, and to
// export the entry symbol of our ABI's major version. The error continues a sentence that begins
// with the file's name; its code is kIncompleteFile if the file looks like one that is still being
// written.
Result<EntrySymbol> check_elf(const ByteSource& file);
inline constexpr int kIncompleteFile = 1;

}  // namespace triggerd::plugin
