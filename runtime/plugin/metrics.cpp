#include "plugin/metrics.hpp"

#include <algorithm>
#include <cmath>

namespace triggerd::plugin {
namespace {

constexpr std::size_t kMaxNameBytes = 100;

// [a-z_][a-z0-9_]*, so that it is a Prometheus name as it stands.
bool valid_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxNameBytes) return false;
  if (name.front() >= '0' && name.front() <= '9') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

}  // namespace

std::int32_t Metrics::define(std::string_view name, std::uint32_t kind, std::string_view help,
                             std::uint64_t& id) {
  if (!valid_name(name)) return TRIGGER_E_INVALID;
  if (kind != TRIGGER_METRIC_COUNTER && kind != TRIGGER_METRIC_GAUGE) return TRIGGER_E_INVALID;
  const MutexLock lock(define_);
  const std::size_t count = count_;
  for (std::size_t i = 0; i < count; ++i) {
    if (slots_[i].name != name) continue;
    if (slots_[i].kind != kind) return TRIGGER_E_INVALID;
    id = i + 1;
    return TRIGGER_OK;
  }
  if (count == kMax) return TRIGGER_E_FULL;
  slots_[count].name = name;
  slots_[count].help = help;
  slots_[count].kind = kind;
  count_ = count + 1;
  id = count + 1;
  return TRIGGER_OK;
}

std::int32_t Metrics::add(std::uint64_t id, double value) {
  if (id == 0 || id > count_ || !std::isfinite(value)) return TRIGGER_E_INVALID;
  Slot& slot = slots_[id - 1];
  if (slot.kind == TRIGGER_METRIC_COUNTER && value < 0) return TRIGGER_E_INVALID;
  double before = slot.value.load(std::memory_order_relaxed);
  double after = 0;
  do {
    after = before + value;
    if (!std::isfinite(after)) return TRIGGER_E_INVALID;
  } while (!slot.value.compare_exchange_weak(before, after, std::memory_order_relaxed));
  return TRIGGER_OK;
}

std::vector<Metric> Metrics::snapshot() const {
  std::vector<Metric> metrics;
  const std::size_t count = count_;
  metrics.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const Slot& slot = slots_[i];
    metrics.push_back({slot.name, slot.help, slot.kind, slot.value.load()});
  }
  return metrics;
}

}  // namespace triggerd::plugin
