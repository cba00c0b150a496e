// bench-micro: what the hot pieces of the runtime cost by themselves. Google Benchmark's own
// options choose among them and say how the figures are written: --benchmark_filter=gate,
// --benchmark_format=json.
#include <benchmark/benchmark.h>

BENCHMARK_MAIN();
