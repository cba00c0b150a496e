#include "plugin/loader/watcher.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "plugin/loader/elf_check.hpp"
#include "plugin/plugin.hpp"

namespace triggerd::plugin {
namespace {

constexpr std::uint32_t kHints = IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE |
                                 IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;
// A service that runs when it is told may be slow to return; the thread ends with its last call.
constexpr Millis kJoinTimeout{60'000};

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

Result<std::unique_ptr<Watcher>> Watcher::start(Options options,
                                                std::function<void(const std::string&)> changed,
                                                Log& log) {
  std::unique_ptr<Watcher> watcher(new Watcher(std::move(options), std::move(changed), log));
  watcher->stop_ = UniqueFd(::eventfd(0, EFD_CLOEXEC));
  if (!watcher->stop_) return fail("cannot watch plugins: {}", errno_text(errno));
  watcher->events_ = UniqueFd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!watcher->events_) {
    log.warn("plugin.watch", {}, "no events of folders ({}): plugins are looked at every {} ms",
             errno_text(errno), watcher->options_.poll.count());
  }
  watcher->add_watches();
  for (const Plugin& plugin : watcher->options_.plugins) {
    const auto there = fingerprint(plugin);
    watcher->watched_.push_back({.plugin = &plugin, .told = there, .seen = there, .since = {}});
  }
  auto thread = Thread::start("plugin-watch", [raw = watcher.get()] { raw->run(); });
  if (!thread) return tl::make_unexpected(thread.error());
  watcher->thread_ = std::move(*thread);
  return watcher;
}

Watcher::Watcher(Options options, std::function<void(const std::string&)> changed, Log& log)
    : options_(std::move(options)), changed_(std::move(changed)), log_(log) {}

Watcher::~Watcher() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(stop_.get(), &one, sizeof one);
  (void)thread_.join(system_clock().now() + kJoinTimeout);
}

// A folder that is watched already keeps its watch, and one that was made anew gets one.
void Watcher::add_watches() {
  if (!events_) return;
  for (const Plugin& plugin : options_.plugins) {
    for (const std::filesystem::path& dir : plugin.dirs) {
      (void)::inotify_add_watch(events_.get(), dir.c_str(), kHints);
    }
  }
}

std::optional<Watcher::Fingerprint> Watcher::fingerprint(const Plugin& plugin) {
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

Monotonic Watcher::look() {
  Monotonic next = Monotonic::max();
  for (Watched& watched : watched_) {
    const auto there = fingerprint(*watched.plugin);
    if (there != watched.seen) {
      watched.seen = there;
      watched.since = system_clock().now();
    }
    // A file that is gone will come back, or its plugin stays as it is.
    if (!watched.seen || watched.seen == watched.told) continue;
    const Monotonic quiet = watched.since + options_.quiet;
    if (quiet > system_clock().now()) {
      next = std::min(next, quiet);
      continue;
    }
    const Monotonic given_up = watched.since + options_.incomplete;
    if (given_up > system_clock().now()) {
      const auto file = find_plugin(watched.plugin->dirs, watched.plugin->plugin);
      if (file && looks_incomplete(*file)) {
        next = std::min(next, given_up);
        continue;
      }
    }
    watched.told = watched.seen;
    changed_(watched.plugin->name);
  }
  return next;
}

// What they say does not matter: each is a reason to look.
void Watcher::forget_events() {
  if (!events_) return;
  alignas(inotify_event) std::array<char, 4096> events{};
  while (::read(events_.get(), events.data(), events.size()) > 0) {
  }
}

void Watcher::run() {
  Monotonic next = Monotonic::max();
  for (;;) {
    const Monotonic until = std::min(next, system_clock().now() + options_.poll);
    const auto left = std::chrono::ceil<Millis>(until - system_clock().now());
    pollfd fds[2] = {{.fd = stop_.get(), .events = POLLIN, .revents = 0},
                     {.fd = events_.get(), .events = POLLIN, .revents = 0}};
    (void)::poll(fds, 2, static_cast<int>(std::max<Millis::rep>(left.count(), 0)));
    if (fds[0].revents != 0) return;
    forget_events();
    add_watches();
    next = look();
  }
}

}  // namespace triggerd::plugin
