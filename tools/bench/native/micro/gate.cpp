// The gate: an acknowledgement is held, written by the library, released, and taken to be sent.
// Messages of one batch are handled together, as the receive thread does.
#include "mqtt/wire/gate.hpp"

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

namespace {

using triggerd::mqtt::wire::Ack;
using triggerd::mqtt::wire::AckKind;
using triggerd::mqtt::wire::Gate;
using triggerd::mqtt::wire::parse_ack;

std::string puback(std::uint16_t id) {
  return {0x40, 2, static_cast<char>(id >> 8), static_cast<char>(id & 0xff)};
}

// `late`: the oldest is released last, so that all of them wait for it.
void gate_hold_release(benchmark::State& state, bool late) {
  const auto batch = static_cast<std::size_t>(state.range(0));
  std::vector<std::string> acks;
  for (std::size_t i = 0; i < batch; ++i) acks.push_back(puback(static_cast<std::uint16_t>(i + 1)));
  std::vector<Gate::Ticket> tickets(batch);
  Gate gate;
  std::string out;
  for (auto _ : state) {
    for (std::size_t i = 0; i < batch; ++i) {
      const Ack ack{AckKind::puback, static_cast<std::uint16_t>(i + 1)};
      tickets[i] = gate.hold(ack);
      gate.written(ack, acks[i]);
    }
    std::size_t taken = 0;
    for (std::size_t i = 0; i < batch; ++i) {
      gate.release(AckKind::puback, tickets[late ? batch - 1 - i : i]);
      if (late && i + 1 < batch) taken += gate.take(out);
    }
    taken += gate.take(out);
    if (taken != batch) state.SkipWithError("something stayed in the gate");
    out.clear();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK_CAPTURE(gate_hold_release, in_order, false)->Arg(1)->Arg(100)->Arg(1000);
BENCHMARK_CAPTURE(gate_hold_release, oldest_last, true)->Arg(100)->Arg(1000);

void gate_parse_ack(benchmark::State& state) {
  const std::string bytes = puback(0x1234);
  for (auto _ : state) {
    const auto ack = parse_ack(bytes);
    if (!ack || ack->packet_id != 0x1234) state.SkipWithError("a wrong answer");
  }
}
BENCHMARK(gate_parse_ack);

}  // namespace
