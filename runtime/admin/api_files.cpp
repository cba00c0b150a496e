// The files in the binary.
#include <array>
#include <utility>

#include "admin/api.hpp"
#include "admin/embedded.hpp"

namespace triggerd::admin {
namespace {

// The page loads its own files and asks its own server, and nothing else may have it in a frame.
constexpr const char* kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'";

Reply file_reply(const EmbeddedFile& file, const Request& request) {
  Reply reply{200, std::string(content_type_of(file.path)), ""};
  reply.headers = {{"ETag", std::string(file.etag)},
                   {"Cache-Control", "no-cache"},
                   {"Content-Security-Policy", kPolicy},
                   {"Cross-Origin-Opener-Policy", "same-origin"}};
  const std::string_view known = request.header("if-none-match");
  if (known == "*" || known.find(file.etag) != std::string_view::npos) {
    reply.status = 304;
    reply.content_type.clear();
  } else {
    reply.body = file.bytes;
  }
  return reply;
}

}  // namespace

std::string_view content_type_of(std::string_view path) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 12> kTypes = {{
      {".html", "text/html; charset=utf-8"},
      {".css", "text/css; charset=utf-8"},
      {".js", "text/javascript; charset=utf-8"},
      {".mjs", "text/javascript; charset=utf-8"},
      {".json", "application/json"},
      {".webmanifest", "application/manifest+json"},
      {".svg", "image/svg+xml"},
      {".png", "image/png"},
      {".ico", "image/x-icon"},
      {".woff2", "font/woff2"},
      {".yaml", "application/yaml"},
      {".txt", "text/plain; charset=utf-8"},
  }};
  for (const auto& [ending, type] : kTypes) {
    if (path.ends_with(ending)) return type;
  }
  return "application/octet-stream";
}

void add_file_routes(Router& router) {
  router.get("/api/v1/openapi.yaml",
             [](const Request& request) { return file_reply(openapi_file(), request); });
  bool has_page = false;
  for (const EmbeddedFile& file : console_files()) {
    const bool is_page = file.path == "index.html";
    has_page |= is_page;
    router.add({"GET", is_page ? "/" : "/" + std::string(file.path), Lane::read,
                [&file](const Request& request) { return file_reply(file, request); }, true});
  }
  if (has_page) return;
  router.add({"GET", "/", Lane::read,
              [](const Request&) { return problem(404, "this build has no console"); }, true});
}

}  // namespace triggerd::admin
