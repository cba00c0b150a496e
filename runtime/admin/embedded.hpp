// Files in the binary: the console's, and docs/reference/openapi.yaml. embed.cmake turns them into
// C++.
#pragma once

#include <span>
#include <string_view>

namespace triggerd::admin {

struct EmbeddedFile {
  std::string_view path;  // "index.html", "parts/list.js"
  std::string_view etag;  // with its quotes
  std::string_view bytes;
};

// Sorted by path.
std::span<const EmbeddedFile> console_files();
const EmbeddedFile& openapi_file();

std::string_view content_type_of(std::string_view path);

}  // namespace triggerd::admin
