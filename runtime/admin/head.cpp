#include "admin/head.hpp"

#include <fmt/core.h>
#include <strings.h>

#include <algorithm>

#include "base/text.hpp"

namespace triggerd::admin {
namespace {

constexpr std::string_view kEnd = "\r\n\r\n";

}  // namespace

std::size_t blank_lines_before(std::string_view bytes) {
  std::size_t blank = 0;
  while (bytes.substr(blank, 2) == "\r\n") blank += 2;
  return blank;
}

std::size_t end_of_head(std::string_view bytes, std::size_t searched) {
  const std::size_t from = searched - std::min(searched, kEnd.size() - 1);
  const std::size_t at = bytes.find(kEnd, from);
  return at == std::string_view::npos ? at : at + kEnd.size();
}

std::optional<std::string> fault_of_head(std::string_view head) {
  for (std::size_t i = 0; i < head.size(); ++i) {
    const bool ends = head[i] == '\n';
    if (ends != (i > 0 && head[i - 1] == '\r')) {
      return "a line of the request does not end with CR LF";
    }
    if (!ends || i + 1 >= head.size()) continue;
    if (head[i + 1] == ' ' || head[i + 1] == '\t') {
      return "a header is continued on a second line, which RFC 9112 does not allow";
    }
  }
  return std::nullopt;
}

std::optional<std::string> fault_of_codings(std::string_view value, unsigned version) {
  constexpr std::string_view kChunked = "chunked";
  if (version < 11) return "HTTP/1.0 has no Transfer-Encoding; send Content-Length";
  if (value.size() == kChunked.size() &&
      ::strncasecmp(value.data(), kChunked.data(), kChunked.size()) == 0) {
    return std::nullopt;
  }
  return fmt::format("Transfer-Encoding: {} is not supported; send \"chunked\" or Content-Length",
                     printable(value, 64));
}

}  // namespace triggerd::admin
