// bench: the service that stands for an empty callback. It counts, and as far as its settings ask
// for that it measures how long messages were on their way, and works. Not shipped.
#include <atomic>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <stdexcept>
#include <string>
#include <string_view>
#include <trigger/plugin.hpp>

#include "common/histogram.hpp"
#include "common/stamp.hpp"

namespace {

// "500us", "1ms", "2s"; "" is none.
timespec work_setting(const trigger::Settings& settings) {
  const std::string text = settings.text("work", "");
  std::int64_t count = 0;
  const char* const end = text.data() + text.size();
  const auto [unit_at, error] = std::from_chars(text.data(), end, count);
  if (text.empty()) return {};
  const std::string_view unit(unit_at, static_cast<std::size_t>(end - unit_at));
  std::int64_t ns = 0;
  if (unit == "us") ns = 1'000;
  if (unit == "ms") ns = 1'000'000;
  if (unit == "s") ns = 1'000'000'000;
  if (error != std::errc() || ns == 0 || count <= 0 || count > 1'000'000) {
    throw trigger::SettingError("work", "must be a duration such as \"500us\", \"1ms\" or \"2s\"");
  }
  return {static_cast<time_t>(count * ns / 1'000'000'000),
          static_cast<long>(count * ns % 1'000'000'000)};
}

class Bench {
 public:
  // Its counters are atomic.
  static constexpr bool concurrent = true;

  explicit Bench(const trigger::Context& context)
      : latency_wanted_(context.settings().boolean("latency", false)),
        work_(work_setting(context.settings())),
        report_(context.settings().text("report", "")) {
    context.settings().require_known({"latency", "work", "report"});
  }

  trigger::Verdict handle(const trigger::Message& message) {
    if (latency_wanted_) {
      if (const auto sent = bench::stamp_of(message.payload())) {
        const std::uint64_t now = bench::monotonic_ns();
        latency_.add(now > *sent ? now - *sent : 0);
      }
    }
    if (work_.tv_sec != 0 || work_.tv_nsec != 0) nanosleep(&work_, nullptr);
    received_.fetch_add(1, std::memory_order_relaxed);
    return trigger::Verdict::ok();
  }

  void stop() const {
    if (report_.empty()) return;
    const std::string line =
        bench::report_line(received_.load(), latency_wanted_ ? &latency_ : nullptr) + "\n";
    std::FILE* out = std::fopen(report_.c_str(), "ae");
    if (out == nullptr) throw std::runtime_error("cannot write the report " + report_);
    std::fwrite(line.data(), 1, line.size(), out);
    std::fclose(out);
  }

 private:
  const bool latency_wanted_;
  const timespec work_;
  const std::string report_;
  std::atomic<std::uint64_t> received_{0};
  bench::Histogram latency_;
};

}  // namespace

TRIGGER_PLUGIN("bench", "1.0.0", trigger::service<Bench>("bench"));
