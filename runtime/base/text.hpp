// Small text services.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace triggerd {

// The candidate closest to `word` by edit distance, where one is close enough to be meant; else "".
// Wants: none of `candidates` equal to `word`.
std::string closest(std::string_view word, std::span<const std::string_view> candidates);

// Whether the code point at the beginning of `bytes` is invisible and makes a terminal or an editor
// show its neighbours elsewhere: one of U+061C, U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069.
bool begins_with_format_control(std::string_view bytes);

// `keep` is for a writer that escapes these itself.
enum class FormatControls { escape, keep };

// `bytes` on one line: printable UTF-8 as it stands, everything else as \xNN, cut at `limit` bytes
// with "..." behind.
std::string printable(std::string_view bytes, std::size_t limit = 200,
                      FormatControls format_controls = FormatControls::escape);

bool is_utf8(std::string_view bytes);

// `bytes` for one segment of a URL's path, or one value in its query: all but what RFC 3986 calls
// unreserved becomes %XX.
std::string percent_encoded(std::string_view bytes);

}  // namespace triggerd
