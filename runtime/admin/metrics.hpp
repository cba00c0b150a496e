// /metrics: the figures of management/, for Prometheus. Names, types, labels and meanings are in
// docs/reference/metrics.md, which a test compares with the output.
//
// Label values come from the configuration (names of triggers, aliases, plugins, client ids) or
// from a short fixed list. They never come from a message: every topic would become a permanent
// time series.
#pragma once

#include <string>
#include <string_view>

#include "management/status.hpp"

namespace triggerd::admin {

inline constexpr std::string_view kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

// Reads the runtime's status, inbox included.
std::string metrics_text(const management::StatusReader& runtime, Wall now);

}  // namespace triggerd::admin
