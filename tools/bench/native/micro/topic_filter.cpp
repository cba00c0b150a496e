// Topic filters: checked when the configuration is read, matched for what comes to a trigger.
#include "config/topic_filter.hpp"

#include <benchmark/benchmark.h>

#include <string>

namespace {

using triggerd::config::check_topic_filter;
using triggerd::config::check_topic_name;
using triggerd::config::matches;

constexpr const char* kTopic = "plant/hall-3/press-12/temperature";

void filter_match(benchmark::State& state, const char* filter, const char* topic, bool expected) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(filter);
    benchmark::DoNotOptimize(topic);
    if (matches(filter, topic) != expected) state.SkipWithError("a wrong answer");
  }
}
BENCHMARK_CAPTURE(filter_match, exact, kTopic, kTopic, true);
BENCHMARK_CAPTURE(filter_match, plus, "plant/+/+/temperature", kTopic, true);
BENCHMARK_CAPTURE(filter_match, hash, "plant/#", kTopic, true);
BENCHMARK_CAPTURE(filter_match, first_level_differs, "office/#", kTopic, false);
BENCHMARK_CAPTURE(filter_match, last_level_differs, "plant/+/+/pressure", kTopic, false);

// One of many filters of a trigger, tried one after another.
void filter_match_among(benchmark::State& state) {
  std::vector<std::string> filters;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    filters.push_back("plant/+/press-" + std::to_string(i) + "/temperature");
  }
  const std::string topic =
      "plant/hall-3/press-" + std::to_string(state.range(0) - 1) + "/temperature";
  for (auto _ : state) {
    bool found = false;
    for (const std::string& filter : filters) found = found || matches(filter, topic);
    if (!found) state.SkipWithError("a wrong answer");
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(filter_match_among)->Arg(1)->Arg(100)->Arg(10'000);

void filter_check(benchmark::State& state) {
  const std::string filter = "plant/+/press-12/#";
  for (auto _ : state) benchmark::DoNotOptimize(check_topic_filter(filter));
}
BENCHMARK(filter_check);

void topic_check(benchmark::State& state) {
  const std::string topic = kTopic;
  for (auto _ : state) benchmark::DoNotOptimize(check_topic_name(topic));
}
BENCHMARK(topic_check);

}  // namespace
