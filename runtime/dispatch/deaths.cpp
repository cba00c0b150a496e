#include "dispatch/deaths.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace triggerd::dispatch {
namespace {

// One crash in a batch writes 256 lines at most, and each run reads them away.
constexpr std::size_t kMaxFile = std::size_t{16} << 20;
// Of messages that have not come again.
constexpr std::size_t kMaxEntries = 1'000;
constexpr std::int64_t kMaxAge = std::int64_t{30} * 86'400;

// How soon copies come that belong to the message that became a dead letter.
constexpr std::chrono::seconds kAside{30};

std::string reason_of(const plugin::DeathLine& death) {
  if (death.deaths < 2) return fmt::format("ended the runtime by {}", death.signal);
  return fmt::format("ended the runtime {} times, by {}", death.deaths, death.signal);
}

std::string_view text_of(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

Deaths::Deaths(std::filesystem::path file, Log& log, const Clock& clock)
    : file_(std::move(file)), log_(log), clock_(clock) {
  {
    const MutexLock lock(mutex_);
    std::error_code error;
    if (std::filesystem::exists(file_, error)) {
      if (auto text = read_file(file_, kMaxFile)) {
        read(*text);
      } else {
        log_.warn("crash_record.failed", {}, "cannot read what ended earlier runs: {}",
                  text.error().message);
      }
    }
    if (key_ == plugin::IdentityKey{} &&
        ::getrandom(key_.data(), sizeof key_, 0) != static_cast<ssize_t>(sizeof key_)) {
      key_ = {1, 1};  // then somebody could make messages that look alike
    }
    drop_old();
    any_ = !entries_.empty();
  }
  if (auto written = write(); !written) {
    log_.warn("crash_record.failed", {},
              "a message that ends the runtime will not be recognised at the next start: {}",
              written.error().message);
  }
}

void Deaths::read(const std::string& text) {
  std::string_view rest = text;
  bool first = true;
  std::optional<plugin::CrashLine> last;
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
    if (std::exchange(first, false)) {
      const auto key = plugin::read_first_line(line);
      if (!key) return;  // not ours, or cut: nothing in it can be known again
      key_ = *key;
    } else if (auto crash = plugin::read_crash(line)) {
      last_run_crashed_ = true;
      // Messages of one call are told of once.
      if (!last || last->messages < 2 || last->when != crash->when) report(*crash);
      count(*crash);
      last = std::move(*crash);
    } else if (auto death = plugin::read_death(line)) {
      entries_.insert_or_assign(death->identity, std::move(*death));
    }
  }
}

void Deaths::report(const plugin::CrashLine& crash) const {
  std::vector<LogField> fields;
  if (!crash.plugin.empty()) fields.push_back({"plugin", crash.plugin});
  if (!crash.trigger.empty()) fields.push_back({"trigger", crash.trigger});
  if (crash.messages == 1) fields.push_back({"message", crash.message});
  const std::string where = crash.plugin.empty()
                                ? std::string("outside of any call of a service")
                                : fmt::format("in {} of {}{}{}", crash.function, crash.plugin,
                                              crash.service.empty() ? "" : ":", crash.service);
  std::string_view what;
  if (crash.messages > 1) {
    what =
        "; which of the messages of that call caused it is not known, so each is handled alone "
        "next time";
  } else if (crash.messages == 1 && crash.identity == 0) {
    what = "; its message had QoS 0 and does not come again";
  }
  log_.error("runtime.crashed_before", fields, "an earlier run was ended by {} {}{}", crash.signal,
             where, what);
}

void Deaths::count(const plugin::CrashLine& crash) {
  if (crash.identity == 0) return;
  plugin::DeathLine& entry = entries_[crash.identity];
  entry.identity = crash.identity;
  entry.when = crash.when;
  entry.signal = crash.signal;
  entry.trigger = crash.trigger;
  if (crash.messages == 1) ++entry.deaths;
}

void Deaths::drop_old() {
  const auto now = clock_.wall().time_since_epoch();
  const std::int64_t oldest =
      std::chrono::duration_cast<std::chrono::seconds>(now).count() - kMaxAge;
  std::erase_if(entries_, [&](const auto& entry) { return entry.second.when < oldest; });
  while (entries_.size() > kMaxEntries) {
    entries_.erase(std::min_element(
        entries_.begin(), entries_.end(),
        [](const auto& a, const auto& b) { return a.second.when < b.second.when; }));
  }
}

Result<> Deaths::write() {
  const MutexLock one_at_a_time(file_mutex_);
  std::string text = plugin::first_line(key_);
  {
    const MutexLock lock(mutex_);
    for (const auto& [identity, death] : entries_) text += plugin::line_of(death);
  }
  auto fd = replace_private_file(file_, text);
  if (!fd) return tl::make_unexpected(fd.error());
  // The handler has the number of the first one.
  if (!fd_) {
    fd_ = *std::move(fd);
  } else if (::dup3(fd->get(), fd_.get(), O_CLOEXEC) < 0) {
    return fail("cannot replace {}: {}", file_.string(), errno_text(errno));
  }
  return {};
}

void Deaths::mark(Delivery& delivery, const std::string& trigger,
                  std::uint32_t max_attempts) const {
  if (!any_ || delivery.message.qos == 0) return;
  const std::uint64_t identity =
      plugin::identity_of(key_, trigger, delivery.message.topic, text_of(delivery.message.payload));
  const MutexLock lock(mutex_);
  std::erase_if(aside_,
                [now = clock_.now()](const auto& aside) { return aside.second.until < now; });
  any_ = !entries_.empty() || !aside_.empty();
  if (const auto aside = aside_.find(identity); aside != aside_.end()) {
    delivery.crashes.condemned = std::make_unique<const std::string>(aside->second.reason);
    return;
  }
  const auto found = entries_.find(identity);
  if (found == entries_.end()) return;
  const plugin::DeathLine& death = found->second;
  delivery.crashes.identity = identity;
  delivery.crashes.suspect = true;
  if (death.deaths >= std::min(kMost, std::max(max_attempts, 1U))) {
    delivery.crashes.condemned = std::make_unique<const std::string>(reason_of(death));
  }
}

void Deaths::forget(std::uint64_t identity) {
  {
    const MutexLock lock(mutex_);
    if (entries_.erase(identity) == 0) return;
  }
  write_again();
}

void Deaths::became_dead_letter(std::uint64_t identity) {
  {
    const MutexLock lock(mutex_);
    const auto found = entries_.find(identity);
    if (found == entries_.end()) return;
    aside_.insert_or_assign(
        identity, Aside{.reason = reason_of(found->second), .until = clock_.now() + kAside});
    entries_.erase(found);
  }
  write_again();
}

void Deaths::write_again() {
  if (auto written = write(); !written) {
    log_.warn("crash_record.failed", {}, "{}", written.error().message);
  }
}

}  // namespace triggerd::dispatch
