// Messages that have ended the runtime before: what the crash record
// (plugin/process/crash_record.hpp) says of earlier runs, and what comes of it when such a message
// comes again.
//
// Thread-safe. While there is none it costs a look at an atomic for each message.
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
  // So many times at most a message ends the runtime, or as many as its trigger has attempts where
  // those are fewer: a service manager gives up on a program that ends five times in a row.
  static constexpr std::uint32_t kMost = 3;

  // Tells what the file says of the last run, and keeps it for this one. A file that cannot be read
  // or written is told, and there is no record then. `log` and `clock` outlive this. [main]
  Deaths(std::filesystem::path file, Log& log, const Clock& clock = system_clock());

  // Open to append, for a signal handler; -1: there is none. Its number stays.
  int record() const { return fd_.get(); }
  const plugin::IdentityKey& key() const { return key_; }
  // Whether the last run was ended by a crash.
  bool last_run_crashed() const { return last_run_crashed_; }

  // What is known of it: it is set aside, or nothing is handled beside it. [before it is accepted]
  void mark(Delivery& delivery, const std::string& trigger, std::uint32_t max_attempts) const;
  // It was handled after all, or nobody will handle it. [any, and with no lock that a callback of
  // the MQTT library takes, as it writes the file]
  void forget(std::uint64_t identity);
  // It is a dead letter for what mark() said. Copies of it that come soon follow it: its server
  // sends one again that the inbox has too. A later one, such as a dead letter that is replayed,
  // begins anew. [as forget()]
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
