#include "config/password_file.hpp"

#include "base/file.hpp"

namespace triggerd::config {
namespace {

constexpr std::size_t kMaxPasswordFile = 65'536;

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

}  // namespace triggerd::config
