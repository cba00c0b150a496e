// The queue of acknowledgements: one is held, released, and taken to be sent.
// Messages of one batch are handled together, as the receive thread does.
#include "mqtt/wire/ack_queue.hpp"

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

namespace {

using triggerd::mqtt::wire::Ack;
using triggerd::mqtt::wire::AckKind;
using triggerd::mqtt::wire::AckQueue;

// `late`: the oldest is released last, so that all of them wait for it.
void ack_queue_hold_release(benchmark::State& state, bool late) {
  const auto batch = static_cast<std::size_t>(state.range(0));
  std::vector<AckQueue::Ticket> tickets(batch);
  AckQueue acks;
  std::string out;
  for (auto _ : state) {
    for (std::size_t i = 0; i < batch; ++i) {
      tickets[i] = acks.hold(Ack{AckKind::puback, static_cast<std::uint16_t>(i + 1)});
    }
    std::size_t taken = 0;
    for (std::size_t i = 0; i < batch; ++i) {
      acks.release(AckKind::puback, tickets[late ? batch - 1 - i : i]);
      if (late && i + 1 < batch) taken += acks.take(out);
    }
    taken += acks.take(out);
    if (taken != batch) state.SkipWithError("something stayed in the queue");
    out.clear();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK_CAPTURE(ack_queue_hold_release, in_order, false)->Arg(1)->Arg(100)->Arg(1000);
BENCHMARK_CAPTURE(ack_queue_hold_release, oldest_last, true)->Arg(100)->Arg(1000);

}  // namespace
