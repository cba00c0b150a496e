// Text helpers. Pure functions. [any]
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace triggerd {

// The candidate that is closest to `word` by edit distance, if it is close enough to be meant; else
// "". None of `candidates` may be equal to `word`.
std::string closest(std::string_view word, std::span<const std::string_view> candidates);

// Format controls are invisible and make a terminal or an editor show their neighbours in another
// place: U+061C, U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069. `keep` is for callers that
// escape these themselves.
enum class FormatControls { escape, keep };

// `bytes` on one line: printable UTF-8 unchanged, everything else as \xNN. What is longer than
// `limit` bytes is cut and ends in "...".
std::string printable(std::string_view bytes, std::size_t limit = 200,
                      FormatControls format_controls = FormatControls::escape);

// If `text` begins with a format control, appends that to `out` as \uXXXX and returns how many
// bytes of `text` it takes; else returns 0.
std::size_t append_format_control(std::string& out, std::string_view text);

// `text`, which is UTF-8, in quotes, so that both JSON and TOML can read it back. Format controls
// are escaped too.
std::string in_quotes(std::string_view text);

bool is_utf8(std::string_view bytes);

// `bytes` for one segment of a URL's path or one value in its query: everything except the
// unreserved characters of RFC 3986 becomes %XX.
std::string percent_encoded(std::string_view bytes);

// Changes only A to Z.
std::string lower_case(std::string_view text);

}  // namespace triggerd
