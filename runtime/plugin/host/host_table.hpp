// The trigger_host that a plugin sees. It checks everything that the plugin passes, so that the
// InstanceHost behind it can trust what it gets.
//
// No lock of its own: call_gate.hpp and publishes.hpp have theirs. The functions in the table are
// called on any thread; the members on the control thread.
#pragma once

#include <trigger/plugin.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "plugin/host/call_gate.hpp"
#include "plugin/host/publishes.hpp"
#include "plugin/metrics.hpp"
#include "plugin/work.hpp"

namespace triggerd::plugin {

class HostTable {
 public:
  // What may be called when: complete() and extend() while started or stopping, publish() while
  // started, metric() and metric_add() always. A plugin's own table allows only logging.
  using State = CallGate::State;

  // The table handed to the entry function.
  HostTable(std::string plugin, Log& log);
  // The table of the instance for `trigger`. `host` and `log` outlive it, or live until sever().
  // `log_level` replaces the log's own level for what the service logs.
  HostTable(std::string plugin, std::string trigger, Log& log, std::optional<LogLevel> log_level,
            InstanceHost& host, std::shared_ptr<Completions> completions);
  HostTable(const HostTable&) = delete;
  HostTable& operator=(const HostTable&) = delete;

  const trigger_host* table() const { return &table_; }
  const Metrics& metrics() const { return metrics_; }

  void set_state(State state);
  // Refuses new publishes and cancels those under way: see Publishes::cancel().
  [[nodiscard]] bool cancel_publishes(Monotonic deadline);
  // Cuts the plugin off for ever from everything behind this table: complete(), extend() and
  // publish() return TRIGGER_E_STATE, log lines are dropped, results of publishes are not reported.
  // metric() and metric_add() go on, since metrics are in the table. Waits for calls that are
  // inside.
  void sever();

 private:
  struct Functions;

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
  CallGate gate_;
};

}  // namespace triggerd::plugin
