// The head of a request - its line and headers - as it came, before the HTTP library parses it.
// Heads that the library accepts, but that a server in front of this one may read differently, are
// refused.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace triggerd::admin {

// The number of bytes of empty lines before a request, which clients may send (RFC 9112,
// section 2.2).
std::size_t blank_lines_before(std::string_view bytes);

// The position after the empty line that ends the head; npos: that line has not come yet. The first
// `searched` bytes have been searched before.
std::size_t end_of_head(std::string_view bytes, std::size_t searched);

// What is wrong with a complete head; nullopt: nothing, except what the library itself detects.
std::optional<std::string> fault_of_head(std::string_view head);

// What is wrong with the value of Transfer-Encoding; `version` is that of HTTP, 10 or 11.
std::optional<std::string> fault_of_codings(std::string_view value, unsigned version);

}  // namespace triggerd::admin
