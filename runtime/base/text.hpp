// Small text services shared by messages for people.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace triggerd {

// The candidate closest to `word` by edit distance, where one is close enough to be meant; else "".
// Wants: none of `candidates` equal to `word`.
std::string closest(std::string_view word, std::span<const std::string_view> candidates);

// `bytes` on one line: printable UTF-8 as it stands, everything else as \xNN, cut at `limit` bytes
// with "..." behind.
std::string printable(std::string_view bytes, std::size_t limit = 200);

bool is_utf8(std::string_view bytes);

}  // namespace triggerd
