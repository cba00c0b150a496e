#include "plugin/loader/change_detector.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "base/file.hpp"
#include "plugin/loader/elf_check.hpp"
#include "plugin/plugin.hpp"

namespace triggerd::plugin {
namespace {

bool looks_incomplete(const std::filesystem::path& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return false;
  const auto bytes = bytes_in_file(fd.get());
  if (!bytes) return false;
  const auto checked = check_elf(*bytes);
  return !checked && checked.error().code == kIncompleteFile;
}

std::int64_t ns(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

ChangeDetector::ChangeDetector(std::vector<Plugin> plugins, Millis quiet, Millis incomplete,
                               const Clock& clock)
    : quiet_(quiet), incomplete_(incomplete), clock_(clock) {
  for (Plugin& plugin : plugins) {
    const auto there = fingerprint(plugin);
    watched_.push_back(
        {.plugin = std::move(plugin), .reported = there, .seen = there, .since = {}});
  }
}

std::optional<ChangeDetector::Fingerprint> ChangeDetector::fingerprint(const Plugin& plugin) {
  const auto file = find_plugin(plugin.dirs, plugin.plugin);
  if (!file) return std::nullopt;
  struct stat state {};
  if (::stat(file->c_str(), &state) != 0) return std::nullopt;
  return Fingerprint{.device = state.st_dev,
                     .inode = state.st_ino,
                     .size = state.st_size,
                     .modified_ns = ns(state.st_mtim),
                     .changed_ns = ns(state.st_ctim)};
}

ChangeDetector::Found ChangeDetector::look() {
  Found found;
  for (Watched& watched : watched_) {
    const auto there = fingerprint(watched.plugin);
    if (there != watched.seen) {
      watched.seen = there;
      watched.since = clock_.now();
    }
    // A file that is gone will come back, or its plugin stays as it is.
    if (!watched.seen || watched.seen == watched.reported) continue;
    if (const auto later = not_before(watched)) {
      found.next = std::min(found.next, *later);
      continue;
    }
    watched.reported = watched.seen;
    found.changed.push_back(watched.plugin.name);
  }
  return found;
}

// When a change may be reported; nullopt: now.
std::optional<Monotonic> ChangeDetector::not_before(const Watched& watched) const {
  const Monotonic now = clock_.now();
  const Monotonic quiet = watched.since + quiet_;
  if (now < quiet) return quiet;
  const Monotonic given_up = watched.since + incomplete_;
  if (now >= given_up) return std::nullopt;
  const auto file = find_plugin(watched.plugin.dirs, watched.plugin.plugin);
  if (file && looks_incomplete(*file)) return given_up;
  return std::nullopt;
}

}  // namespace triggerd::plugin
