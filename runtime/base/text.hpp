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

// Format controls are invisible and make a terminal or an editor show their neighbours elsewhere:
// U+061C, U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069. `keep` is for a writer that escapes
// these itself.
enum class FormatControls { escape, keep };

// `bytes` on one line: printable UTF-8 as it stands, everything else as \xNN, cut at `limit` bytes
// with "..." behind.
std::string printable(std::string_view bytes, std::size_t limit = 200,
                      FormatControls format_controls = FormatControls::escape);

// Appends the format control that stands at the beginning of `text` as \uXXXX, and returns how many
// bytes of `text` it is; 0 where none stands there.
std::size_t append_format_control(std::string& out, std::string_view text);

// `text` in quotes, as JSON and TOML both read it back; format controls too are escaped. Wants:
// UTF-8.
std::string in_quotes(std::string_view text);

bool is_utf8(std::string_view bytes);

// `bytes` for one segment of a URL's path, or one value in its query: all but what RFC 3986 calls
// unreserved becomes %XX.
std::string percent_encoded(std::string_view bytes);

// With the letters A to Z as small ones.
std::string lower_case(std::string_view text);

}  // namespace triggerd
