// Is this file a library that dlopen survives, and one that was built for us?
//
// dlopen has no error path for a file that ends before its segments do: it maps them and dies with
// SIGBUS. And once dlopen has returned, the constructors of the library have run. So everything
// that can be told from the file alone is told here, before.
//
// What this cannot see is a file whose headers agree with its size and whose content is nonsense.
//
// Pure functions, any thread. The input is hostile: every offset, size and count is checked.
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
  // Fills `into` from `offset` on; the range lies within `size`. False: it could not be read.
  std::function<bool(std::uint64_t offset, std::span<std::byte> into)> read;
};
ByteSource bytes_in_memory(std::span<const std::byte> bytes);
// `fd` is a regular file and stays open while the source is used.
Result<ByteSource> bytes_in_file(int fd);

enum class EntrySymbol {
  found,
  unknown,  // the section headers were stripped: only dlsym can tell
};

// ELF64, little endian, of our machine, ET_DYN, complete, dynamic, and exporting the entry symbol
// of our ABI major. The error continues a sentence that begins with the file's name; its code is
// kIncompleteFile where the file looks as one does that is still being written.
Result<EntrySymbol> check_elf(const ByteSource& file);
inline constexpr int kIncompleteFile = 1;

}  // namespace triggerd::plugin
