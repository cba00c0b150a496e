// The metrics of one instance, behind its trigger_host's metric() and metric_add().
//
// Thread-safe. Defining takes a lock; adding takes none, because a service may count on its hottest
// path.
#pragma once

#include <trigger/plugin.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.hpp"

namespace triggerd::plugin {

struct Metric {
  std::string name;
  std::string help;
  std::uint32_t kind = TRIGGER_METRIC_COUNTER;
  double value = 0;
};

class Metrics {
 public:
  static constexpr std::size_t kMax = 64;

  // As trigger_host.metric: returns a TRIGGER_... code, and an id (never 0) with TRIGGER_OK. A
  // known name with another kind is TRIGGER_E_INVALID.
  std::int32_t define(std::string_view name, std::uint32_t kind, std::string_view help,
                      std::uint64_t& id);
  // As trigger_host.metric_add. Also refused if the sum would not be a finite number.
  std::int32_t add(std::uint64_t id, double value);

  // In the order in which they were defined.
  std::vector<Metric> snapshot() const;

 private:
  struct Slot {
    std::string name;
    std::string help;
    std::uint32_t kind = 0;
    std::atomic<double> value{0};
  };

  Mutex define_;
  // Slots below count_ have a constant name, help and kind.
  std::array<Slot, kMax> slots_;
  std::atomic<std::size_t> count_{0};
};

}  // namespace triggerd::plugin
