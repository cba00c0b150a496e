#include "exposure.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>
#include <optional>

#include "config/config.hpp"

namespace triggerd {
namespace {

namespace fs = std::filesystem;

std::optional<mode_t> mode_of(const fs::path& path) {
  struct stat status {};
  if (path.empty() || ::stat(path.c_str(), &status) != 0) return std::nullopt;
  return status.st_mode;
}

void look_at_token(const char* key, const fs::path& path, std::vector<std::string>& found) {
  const auto mode = mode_of(path);
  if (!mode || (*mode & (S_IROTH | S_IWOTH)) == 0) return;
  found.push_back(fmt::format(
      "every user of this machine can {} {}, which is [admin] {}; run \"chmod o-rwx {}\"",
      (*mode & S_IROTH) != 0 ? "read" : "write", path.string(), key, path.string()));
}

}  // namespace

std::vector<std::string> exposed_files(const config::Config& config) {
  std::vector<std::string> found;
  const fs::path& state_dir = config.runtime.state_dir;
  if (const auto mode = mode_of(state_dir); mode && (*mode & S_IWOTH) != 0) {
    found.push_back(
        fmt::format("every user of this machine can create files in {}, the state_dir; run "
                    "\"chmod o-rwx {}\"",
                    state_dir.string(), state_dir.string()));
  }
  // Access for the group may be intended: for that of a volume, or of administrators.
  look_at_token("token_file", config.admin.token_file, found);
  look_at_token("read_token_file", config.admin.read_token_file, found);
  return found;
}

}  // namespace triggerd
