#include "live/editor.hpp"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

#include "base/file.hpp"
#include "config/load.hpp"

namespace triggerctl {
namespace {

using triggerd::fail;
using triggerd::Result;

constexpr std::size_t kLargest = 16 << 20;
constexpr std::string_view kMark = "#! ";

std::string editor() {
  for (const char* name : {"VISUAL", "EDITOR"}) {
    const auto value = triggerd::config::process_environment()(name);
    if (value && !value->empty()) return *value;
  }
  return "vi";
}

}  // namespace

Result<EditedFile> EditedFile::make(const std::string& text, const std::string& extension) {
  std::error_code error;
  std::string path = std::filesystem::temp_directory_path(error) / "triggerctl-XXXXXX";
  path += extension;
  const triggerd::UniqueFd fd(::mkstemps(path.data(), static_cast<int>(extension.size())));
  if (!fd) return fail("cannot create {}: {}", path, triggerd::errno_text(errno));
  EditedFile made(std::move(path));
  if (auto written = made.write(text); !written) return tl::make_unexpected(written.error());
  return made;
}

EditedFile::~EditedFile() {
  if (!path_.empty() && !keep_) ::unlink(path_.c_str());
}

Result<> EditedFile::write(const std::string& text) {
  std::ofstream out(path_, std::ios::binary | std::ios::trunc);
  out << text;
  if (!out.flush()) return fail("cannot write {}: {}", path_, triggerd::errno_text(errno));
  return {};
}

Result<std::string> EditedFile::edit() {
  const std::string program = editor();
  const std::string command = program + " \"$1\"";  // EDITOR may have arguments
  const pid_t child = ::fork();
  if (child < 0) return fail("cannot start {}: {}", program, triggerd::errno_text(errno));
  if (child == 0) {
    ::execl("/bin/sh", "sh", "-c", command.c_str(), "sh", path_.c_str(), nullptr);
    ::_exit(127);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return fail("the editor \"{}\" failed, so nothing has changed; choose another one with EDITOR",
                program);
  }
  return triggerd::read_file(path_, kLargest);
}

std::string with_error(const std::string& text, const std::string& error) {
  std::string out;
  const auto add_marked = [&](std::string_view line) { out += fmt::format("{}{}\n", kMark, line); };
  add_marked("This is not valid, and nothing has changed yet:");
  for (std::size_t at = 0; at <= error.size();) {
    const std::size_t end = std::min(error.find('\n', at), error.size());
    add_marked(std::string_view(error).substr(at, end - at));
    at = end + 1;
  }
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const auto line = std::string_view(text).substr(at, end - at);
    if (!line.starts_with(kMark)) out += fmt::format("{}\n", line);
    at = end + 1;
  }
  return out;
}

}  // namespace triggerctl
