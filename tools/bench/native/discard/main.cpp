// bench-discard: the least that a subscriber can do. It reads, looks at the front of each packet,
// and at QoS 1 and 2 answers; all answers of one read in one write. What it reaches is the fake
// server's own ceiling.
#include <string>
#include <string_view>
#include <thread>

#include "common/contender.hpp"
#include "common/mqtt.hpp"
#include "discard/reader.hpp"
#include "discard/stream.hpp"

namespace {

using bench::mqtt::Type;

std::string greeting(const bench::ContenderOptions& options) {
  std::string out;
  bench::mqtt::append_head(out, Type::connect, 0, 12 + options.client_id.size());
  out += std::string("\0\4MQTT\4", 7);
  out += static_cast<char>(options.persistent ? 0 : 2);
  bench::mqtt::append_number(out, 0);  // no keep-alive
  bench::mqtt::append_number(out, options.client_id.size());
  out += options.client_id;
  const std::string_view filter = "bench/#";
  bench::mqtt::append_head(out, Type::subscribe, 2, 2 + 2 + filter.size() + 1);
  bench::mqtt::append_number(out, 1);
  bench::mqtt::append_number(out, filter.size());
  out += filter;
  out += static_cast<char>(options.qos);
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = bench::ContenderOptions::parse(
      argc, argv, "The least that a subscriber can do: the ceiling of bench-broker.");
  bench::hold_signals();
  bench::Arrivals arrivals(options);
  bench::Stream stream(options);
  std::thread([&] {
    if (stream.write(greeting(options))) bench::Reader(stream, arrivals).run();
  }).detach();
  bench::run_until_told(arrivals);
}
