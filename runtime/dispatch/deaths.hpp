// Messages that have ended the runtime before: what the crash record
// (plugin/process/crash_record.hpp) says about earlier runs, and what is done when such a message
// comes again.
//
// Thread-safe. While there is none, each message costs one read of an atomic.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>
#include <unordered_map>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "base/mutex.hpp"
#include "dispatch/delivery.hpp"
#include "plugin/process/crash_record.hpp"

namespace triggerd::dispatch {

class Deaths {
 public:
  // A message may end the runtime this often, or as often as its trigger has attempts if that is
  // less: a service manager gives up on a program that ends five times in a row.
  static constexpr std::uint32_t kMost = 3;

  // Logs what the file says about the last run, and keeps the file for this one. If it cannot be
  // read or written, that is logged, and there is no record. `log` and `clock` outlive this. [main]
  Deaths(std::filesystem::path file, Log& log, const Clock& clock = system_clock());

  // The file, open for a signal handler to append to; -1: there is none. The descriptor stays the
  // same number.
  int record() const { return fd_.get(); }
  const plugin::IdentityKey& key() const { return key_; }
  // Whether the last run was ended by a crash.
  bool last_run_crashed() const { return last_run_crashed_; }

  // Marks a message that is known from earlier runs: it is set aside, or nothing is handled beside
  // it. [before it is accepted]
  void mark(Delivery& delivery, const std::string& trigger, std::uint32_t max_attempts) const;
  // The message was handled after all, or nobody will handle it. [any, and with no lock that a
  // callback of the MQTT library takes, as it writes the file]
  void forget(std::uint64_t identity);
  // The message became a dead letter because of what mark() found. Copies of it that come soon are
  // treated the same way, because its server repeats what the inbox also has. A later one, such as
  // a replayed dead letter, starts from zero. [as forget()]
  void became_dead_letter(std::uint64_t identity);

 private:
  using Entries = std::unordered_map<std::uint64_t, plugin::DeathLine>;

  void read(const std::string& text) TRIGGERD_REQUIRES(mutex_);
  void report(const plugin::CrashLine& crash) const;
  void count(const plugin::CrashLine& crash) TRIGGERD_REQUIRES(mutex_);
  void drop_old() TRIGGERD_REQUIRES(mutex_);
  Result<> write() TRIGGERD_EXCLUDES(file_mutex_, mutex_);
  void write_again() TRIGGERD_EXCLUDES(file_mutex_, mutex_);

  const std::filesystem::path file_;
  Log& log_;
  const Clock& clock_;
  plugin::IdentityKey key_{};
  bool last_run_crashed_ = false;
  UniqueFd fd_;

  Mutex file_mutex_;  // taken before mutex_, which nobody holds while the file is written
  mutable Mutex mutex_;
  Entries entries_ TRIGGERD_GUARDED_BY(mutex_);
  struct Aside {
    std::string reason;
    Monotonic until;
  };
  mutable std::unordered_map<std::uint64_t, Aside> aside_ TRIGGERD_GUARDED_BY(mutex_);
  mutable std::atomic<bool> any_{false};
};

}  // namespace triggerd::dispatch
