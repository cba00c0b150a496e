// /metrics: what the seam counts, for Prometheus. Names, types, labels and meanings are in
// docs/reference/metrics.md, which a test compares with this.
//
// Label values come from the configuration (names of triggers, aliases, plugins, client ids) or
// from a short fixed list. Never from a message: every topic would be a time series for good.
#pragma once

#include <string>
#include <string_view>

#include "management/status.hpp"

namespace triggerd::admin {

inline constexpr std::string_view kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

// Reads the runtime's status, inbox included.
std::string metrics_text(const management::StatusReader& runtime, Wall now);

}  // namespace triggerd::admin
