#include "config/password_file.hpp"

#include <algorithm>

#include "base/file.hpp"

namespace triggerd::config {
namespace {

constexpr std::size_t kMaxPasswordFile = 65'536;
constexpr std::size_t kShortestToken = 16;
constexpr std::size_t kLongestToken = 4096;

}  // namespace

Result<std::string> read_password_file(const std::filesystem::path& path) {
  auto content = read_file(path, kMaxPasswordFile);
  if (!content) return fail("{}; name a file that holds the password", content.error().message);
  if (content->ends_with('\n')) content->pop_back();  // what editors and echo add
  if (content->empty()) {
    return fail("{} is empty; write the password into it", path.string());
  }
  return content;
}

Result<std::string> read_token_file(const std::filesystem::path& path) {
  auto token = read_password_file(path);
  if (!token) return token;
  const bool good =
      std::all_of(token->begin(), token->end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (!good || token->size() < kShortestToken || token->size() > kLongestToken) {
    return fail(
        "{} must hold {} to {} characters of printable ASCII on one line, without spaces; "
        "\"openssl rand -hex 32\" makes such a token",
        path.string(), kShortestToken, kLongestToken);
  }
  return token;
}

}  // namespace triggerd::config
