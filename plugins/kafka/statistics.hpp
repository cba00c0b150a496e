// What librdkafka counts, as metrics of the service.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <trigger/plugin.hpp>

namespace kafka {

// A gauge that is set.
class Gauge {
 public:
  Gauge(const trigger::Context& context, std::string_view name, std::string_view help)
      : metric_(context.gauge(name, help)) {}

  void set(double value) {
    if (metric_.add(value - value_)) value_ = value;
  }

 private:
  const trigger::Metric metric_;
  double value_ = 0;
};

// Threads: one.
class Statistics {
 public:
  explicit Statistics(const trigger::Context& context);

  // One JSON document of librdkafka, as it makes one every statistics.interval.ms. Returns how many
  // brokers it is connected with. nullopt: it is not what librdkafka documents.
  std::optional<int> take(std::string_view json);
  // The producer is gone, and another one begins to count from 0.
  void begin_again();

 private:
  const trigger::Metric sent_;
  const trigger::Metric requests_;
  const trigger::Metric retries_;
  Gauge messages_;
  Gauge bytes_;
  Gauge brokers_;
  Gauge mean_;
  Gauge slow_;

  // Of the producer that is.
  std::int64_t sent_before_ = 0;
  std::int64_t requests_before_ = 0;
  std::int64_t retries_before_ = 0;
};

}  // namespace kafka
