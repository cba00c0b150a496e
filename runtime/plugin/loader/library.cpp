#include "plugin/loader/library.hpp"

#include <dlfcn.h>
#include <fcntl.h>

#define BOOST_DLL_USE_STD_FS
#include <boost/dll/shared_library.hpp>
#include <cerrno>
#include <cstddef>
#include <string_view>
#include <utility>

#include "base/text.hpp"
#include "plugin/loader/elf_check.hpp"
#include "plugin/process/thread.hpp"

namespace triggerd::plugin {
namespace {

namespace dll = boost::dll;

// Boost appends what dlerror() said in brackets, and then its own error code, which is always "Bad
// file descriptor". The path at the front is our copy's, which means nothing to a user.
std::string loader_text(std::string_view what, const std::filesystem::path& path) {
  constexpr std::string_view kBegin = "(dlerror system message: ";
  constexpr std::string_view kEnd = "): ";
  if (const auto begin = what.find(kBegin); begin != what.npos) {
    what.remove_prefix(begin + kBegin.size());
    what = what.substr(0, what.rfind(kEnd));
  }
  if (what.starts_with(path.native())) {
    what.remove_prefix(path.native().size());
    while (what.starts_with(':') || what.starts_with(' ')) what.remove_prefix(1);
  }
  return printable(what, 1000);
}

std::string_view advice(std::string_view loader_text) {
  static constexpr std::pair<std::string_view, std::string_view> kAdvice[] = {
      {"cannot open shared object file", "; install that library, or link it statically"},
      {"undefined symbol", "; link the plugin with -Wl,--no-undefined to find it at build time"},
      {"version `", "; build the plugin on a system that is no newer than this one"},
      {"failed to map segment", "; state_dir must not be on a file system mounted noexec"},
      {"Operation not permitted", "; state_dir must not be on a file system mounted noexec"},
      {"static TLS", "; restart the runtime: too many libraries could not be unloaded"},
  };
  for (const auto& [part, text] : kAdvice) {
    if (loader_text.find(part) != loader_text.npos) return text;
  }
  return "";
}

}  // namespace

Result<> check_library(const StagedCopy& copy) {
  const UniqueFd fd(::open(copy.path().c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail("cannot be read back: {}", errno_text(errno));
  auto checked = bytes_in_file(fd.get()).and_then(check_elf);
  if (!checked) return tl::make_unexpected(checked.error());
  return {};
}

Result<std::unique_ptr<Library>> Library::load(StagedCopy copy) {
  const UnblockedSignals unblocked;  // for its constructors
  try {
    auto library = std::make_unique<dll::shared_library>(
        copy.path(), dll::load_mode::rtld_now | dll::load_mode::rtld_local);
    if (!library->has(TRIGGER_ENTRY_NAME)) {
      return fail("exports no " TRIGGER_ENTRY_NAME
                  "; build it with trigger_add_plugin(), or export that function");
    }
    auto& entry = library->get<const trigger_plugin*(const trigger_host*)>(TRIGGER_ENTRY_NAME);
    return std::unique_ptr<Library>(new Library(std::move(copy), std::move(library), &entry));
  } catch (const std::exception& e) {
    const std::string text = loader_text(e.what(), copy.path());
    return fail("cannot be loaded: {}{}", text, advice(text));
  } catch (...) {
    return fail(
        "cannot be loaded: one of its constructors threw something other than a std::exception");
  }
}

Library::Library(StagedCopy copy, std::unique_ptr<dll::shared_library> library,
                 trigger_plugin_entry entry)
    : copy_(std::move(copy)), library_(std::move(library)), entry_(entry) {}

Library::~Library() = default;

std::vector<std::filesystem::path> Library::search_folders() const {
  std::vector<std::filesystem::path> folders;
  Dl_serinfo size{};
  void* const handle = library_->native();
  if (::dlinfo(handle, RTLD_DI_SERINFOSIZE, &size) != 0) return folders;
  std::vector<std::max_align_t> memory(size.dls_size / sizeof(std::max_align_t) + 1);
  auto* const info = reinterpret_cast<Dl_serinfo*>(memory.data());
  info->dls_size = size.dls_size;
  info->dls_cnt = size.dls_cnt;
  if (::dlinfo(handle, RTLD_DI_SERINFO, info) != 0) return folders;
  for (unsigned i = 0; i < info->dls_cnt; ++i) {
    if (info->dls_serpath[i].dls_name != nullptr) {
      folders.emplace_back(info->dls_serpath[i].dls_name);
    }
  }
  return folders;
}

bool Library::unload() {
  const UnblockedSignals unblocked;  // for its destructors
  library_.reset();
  void* const left = ::dlopen(copy_.path().c_str(), RTLD_LAZY | RTLD_NOLOAD);
  if (left == nullptr) return true;
  ::dlclose(left);
  return false;
}

}  // namespace triggerd::plugin
