// The trigger_host that a plugin sees: everything a plugin passes is checked here, so that what
// stands behind it (InstanceHost) may trust it.
//
// Threads: the table's functions come from any thread, the other functions from the control thread.
#pragma once

#include <trigger/plugin.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/mutex.hpp"
#include "plugin/host/publishes.hpp"
#include "plugin/metrics.hpp"
#include "plugin/work.hpp"

namespace triggerd::plugin {

// Whether a publish is one: no NULL where bytes are to be, no length beyond what MQTT has.
bool valid_publish(const trigger_publish* request);
// Whether a code may end an attempt.
bool is_verdict(std::int32_t code);

class HostTable {
 public:
  // What the functions allow: complete() and extend() while started or stopping, publish() while
  // started, metric() and metric_add() always, and of a plugin's own table nothing but the log.
  enum class State { created, started, stopping, stopped };

  // The table handed to the entry function.
  HostTable(std::string plugin, Log& log);
  // The table of the instance for `trigger`. `host` and `log` live until sever() or the end.
  // `log_level`: what the service says is logged from there on, whatever the log's own level.
  HostTable(std::string plugin, std::string trigger, Log& log, std::optional<LogLevel> log_level,
            InstanceHost& host, std::shared_ptr<Completions> completions);
  HostTable(const HostTable&) = delete;
  HostTable& operator=(const HostTable&) = delete;

  const trigger_host* table() const { return &table_; }
  const Metrics& metrics() const { return metrics_; }

  void set_state(State state);
  // Refuses publishes, and cancels those under way: see Publishes::cancel().
  [[nodiscard]] bool cancel_publishes(Monotonic deadline);
  // Cuts the plugin off from everything behind this table, for ever: functions return
  // TRIGGER_E_STATE, the log drops lines, results of publishes are not told. Waits for calls that
  // are inside.
  void sever();

 private:
  struct Functions;
  class Inside;

  void fill_table();
  std::int32_t complete(std::uint64_t token, const trigger_result* result);
  std::int32_t extend(std::uint64_t token, std::uint32_t ms);
  std::int32_t publish(const trigger_publish* request);
  std::int32_t publish_checked(const trigger_publish& request);
  bool log_enabled(LogLevel level) const {
    return log_level_ ? level >= *log_level_ : log_.enabled(level);
  }
  void write_log(LogLevel level, trigger_str text);

  const std::string plugin_;
  const std::string trigger_;  // empty: the plugin's own table
  Log& log_;
  const std::optional<LogLevel> log_level_;
  InstanceHost* const host_ = nullptr;
  const std::shared_ptr<Publishes> publishes_;
  Metrics metrics_;
  trigger_host table_{};

  Mutex mutex_;
  CondVar left_;
  State state_ TRIGGERD_GUARDED_BY(mutex_) = State::created;
  bool severed_ TRIGGERD_GUARDED_BY(mutex_) = false;
  unsigned inside_ TRIGGERD_GUARDED_BY(mutex_) = 0;
};

}  // namespace triggerd::plugin
