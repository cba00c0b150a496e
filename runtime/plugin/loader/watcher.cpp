#include "plugin/loader/watcher.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace triggerd::plugin {
namespace {

constexpr std::uint32_t kHints = IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE |
                                 IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;
// `changed` may be slow to return, and the thread ends only with its last call.
constexpr Millis kJoinTimeout{60'000};

}  // namespace

Result<std::unique_ptr<Watcher>> Watcher::start(Options options,
                                                std::function<void(const std::string&)> changed,
                                                Log& log) {
  std::unique_ptr<Watcher> watcher(new Watcher(std::move(options), std::move(changed)));
  watcher->stop_ = UniqueFd(::eventfd(0, EFD_CLOEXEC));
  if (!watcher->stop_) return fail("cannot watch plugins: {}", errno_text(errno));
  watcher->events_ = UniqueFd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!watcher->events_) {
    log.warn("plugin.watch", {},
             "cannot watch folders ({}): plugins are checked every {} ms instead",
             errno_text(errno), watcher->options_.poll.count());
  }
  watcher->add_watches();
  auto thread = Thread::start("plugin-watch", [raw = watcher.get()] { raw->run(); });
  if (!thread) return tl::make_unexpected(thread.error());
  watcher->thread_ = std::move(*thread);
  return watcher;
}

Watcher::Watcher(Options options, std::function<void(const std::string&)> changed)
    : options_(std::move(options)),
      changed_(std::move(changed)),
      files_(options_.plugins, options_.quiet, options_.incomplete, *options_.clock) {}

Watcher::~Watcher() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(stop_.get(), &one, sizeof one);
  (void)thread_.join(kJoinTimeout);
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

// What they say does not matter: each is a reason to look.
void Watcher::discard_events() {
  if (!events_) return;
  alignas(inotify_event) std::array<char, 4096> events{};
  while (::read(events_.get(), events.data(), events.size()) > 0) {
  }
}

void Watcher::run() {
  ChangeDetector::Found found;
  for (;;) {
    const Monotonic now = options_.clock->now();
    const auto left = std::chrono::ceil<Millis>(std::min(found.next, now + options_.poll) - now);
    pollfd fds[2] = {{.fd = stop_.get(), .events = POLLIN, .revents = 0},
                     {.fd = events_.get(), .events = POLLIN, .revents = 0}};
    (void)::poll(fds, 2, static_cast<int>(std::max<Millis::rep>(left.count(), 0)));
    if (fds[0].revents != 0) return;
    discard_events();
    add_watches();
    found = files_.look();
    for (const std::string& name : found.changed) changed_(name);
  }
}

}  // namespace triggerd::plugin
