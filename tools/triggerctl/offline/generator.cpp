#include "offline/generator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "base/result.hpp"
#include "command_line.hpp"
#include "output.hpp"

namespace triggerctl {
namespace {

namespace fs = std::filesystem;
using triggerd::fail;
using triggerd::Result;

// Beside the program: PREFIX/bin and PREFIX/share, or the build's bin/ and share/.
Result<fs::path> find_share() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  fs::path share = program.parent_path().parent_path() / "share" / "trigger-plugin";
  if (!error && fs::exists(share / "templates", error)) return share;
  return fail(
      "{}, from which projects are created, does not exist; install the SDK beside triggerctl: "
      "cmake --install BUILD --component sdk --prefix PREFIX",
      share.string());
}

bool is_letter(char c) {
  return c >= 'a' && c <= 'z';
}

Result<> check_name(const std::string& name) {
  const bool sound = !name.empty() && name.size() <= 64 && is_letter(name.front()) &&
                     std::all_of(name.begin(), name.end(), [](char c) {
                       return is_letter(c) || (c >= '0' && c <= '9') || c == '-';
                     });
  if (!sound) {
    return fail(
        "\"{}\" is not a valid plugin name; use at most 64 characters of a-z, 0-9 and \"-\", "
        "starting with a letter; choose another name with --name",
        name);
  }
  // Names that cmake, make, cargo or the project itself use.
  static const std::set<std::string_view> taken{"test",    "sdk",     "all",  "clean", "help",
                                                "install", "package", "core", "std",   "alloc"};
  if (taken.contains(name)) {
    return fail(
        "\"{}\" is the name of something else in the project; choose another name with --name",
        name);
  }
  return {};
}

void copy_to(const fs::path& from, const fs::path& to) {
  fs::create_directories(to.parent_path());
  fs::copy(from, to, fs::copy_options::recursive);
}

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size()) {
    text.replace(at, what.size(), with);
  }
}

// In every file so far.
void fill_in(const fs::path& dir, const std::string& name) {
  std::string identifier = name;
  std::replace(identifier.begin(), identifier.end(), '-', '_');
  for (const auto& entry : fs::recursive_directory_iterator(dir)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    std::string text(std::istreambuf_iterator<char>(in), {});
    in.close();
    replace_all(text, "@NAME@", name);
    replace_all(text, "@IDENT@", identifier);
    std::ofstream(entry.path(), std::ios::binary) << text;
  }
}

// A program that the plugin exec runs: its SDK is a file beside it.
bool is_command(const Project& project) {
  return project.language == "python" || project.language == "node";
}

// Without the tests of the crate, which belong to triggerd. Where the licence is to be.
fs::path copy_sdk(const fs::path& share, const fs::path& dir, const std::string& language) {
  if (language == "python") {
    copy_to(share / "python" / "trigger_service.py", dir / "trigger_service.py");
    return dir / "trigger_service.LICENSE";
  }
  if (language == "node") {
    for (const char* file : {"trigger-service.js", "trigger-service.d.ts"}) {
      copy_to(share / "node" / file, dir / file);
    }
    return dir / "trigger-service.LICENSE";
  }
  if (language == "rust") {
    const fs::path crate = share / "rust" / "trigger-plugin";
    copy_to(crate / "Cargo.toml", dir / "sdk" / "trigger-plugin" / "Cargo.toml");
    copy_to(crate / "src", dir / "sdk" / "trigger-plugin" / "src");
  } else {
    for (const char* part : {"CMakeLists.txt", "cmake", "include"}) {
      copy_to(share / part, dir / "sdk" / part);
    }
  }
  return dir / "sdk" / "LICENSE";
}

const char* ignored_by_git(const std::string& language) {
  if (language == "python") return "__pycache__/\nvar/\n";
  if (language == "node") return "node_modules/\nvar/\n";
  return language == "rust" ? "target/\nbuild/\nvar/\n" : "build/\nvar/\n";
}

void make_files(const fs::path& share, const fs::path& dir, const Project& project) {
  fs::create_directories(dir);
  fs::copy(share / "templates" / project.language, dir, fs::copy_options::recursive);
  if (project.minimal) {
    fs::copy(share / "templates" / "minimal" / project.language, dir,
             fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  }
  fill_in(dir, project.name);
  std::ofstream(dir / ".gitignore") << ignored_by_git(project.language);
  const fs::path license = copy_sdk(share, dir, project.language);
  copy_to(share / "LICENSE", license);
}

Result<> make(Project project) {
  static const std::set<std::string_view> languages{"c", "cpp", "rust", "python", "node"};
  if (!languages.contains(project.language)) {
    return fail("unknown language \"{}\"; choose c, cpp, rust, python or node", project.language);
  }
  const fs::path dir = fs::path(project.dir).has_filename() ? fs::path(project.dir)
                                                            : fs::path(project.dir).parent_path();
  if (project.name.empty()) project.name = dir.filename().string();
  if (auto sound = check_name(project.name); !sound) return sound;
  std::error_code error;
  const fs::file_status status = fs::status(dir, error);
  if (fs::exists(status) && (!fs::is_directory(status) || !fs::is_empty(dir, error))) {
    return fail("{} exists already; name a folder that is new or empty", project.dir);
  }
  const auto share = find_share();
  if (!share) return tl::make_unexpected(share.error());
  try {
    make_files(*share, dir, project);
  } catch (const fs::filesystem_error& failure) {
    return fail("cannot create the project: {}", failure.what());
  }
  if (json_wanted()) {
    print_json({{"dir", project.dir}, {"plugin", project.name}, {"language", project.language}});
  } else {
    fmt::print("{}: a {} called {}. Next: cd {} && ./test\n", project.dir,
               is_command(project) ? "service" : "plugin", project.name, project.dir);
  }
  return {};
}

}  // namespace

int make_project(const Project& project) {
  const auto made = make(project);
  return made ? static_cast<int>(kDone) : fail_with(made.error().message);
}

}  // namespace triggerctl
