// The head of a request - its line and headers - as it came, before the HTTP library parses it:
// what the library accepts, and another server in front of this one may read otherwise, is refused.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace triggerd::admin {

// The bytes of empty lines before a request, which clients may send (RFC 9112, section 2.2).
std::size_t blank_lines_before(std::string_view bytes);

// Behind the empty line that ends the head; npos: it has not come yet. The first `searched` bytes
// have been searched before.
std::size_t end_of_head(std::string_view bytes, std::size_t searched);

// What is wrong with a head that is whole; nullopt: nothing that the library would not see.
std::optional<std::string> fault_of_head(std::string_view head);

// The same of the value of Transfer-Encoding; `version` is 10 or 11.
std::optional<std::string> fault_of_codings(std::string_view value, unsigned version);

}  // namespace triggerd::admin
