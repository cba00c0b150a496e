// What a dispatcher is told once, and what it counts.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/histogram.hpp"
#include "config/delivery_rules.hpp"
#include "config/pacing.hpp"

namespace triggerd::dispatch {

class Deaths;

struct DispatcherOptions {
  std::string trigger;
  std::uint32_t concurrency = 1;
  config::Order order;
  std::optional<config::Deduplicate> deduplicate;
  std::uint32_t queue_capacity = 1000;
  config::Pacing pacing;
  Millis timeout{30'000};
  config::Retry retry;
  config::OnExhausted on_exhausted = config::OnExhausted::dead_letter;
  Deaths* deaths = nullptr;  // outlives it; null: nothing is known about earlier runs
};

// received = ok + filtered + duplicates + rejected + exhausted + discarded + expired + queued +
// in_flight + delayed + waiting_for_delay.
struct DispatcherStats {
  std::uint64_t received = 0;
  std::array<std::uint64_t, 3> received_qos{};
  std::uint64_t ok = 0;
  std::uint64_t filtered = 0;          // not for the service, by their content
  std::uint64_t duplicates = 0;        // not for the service: one with their key was handled
  std::uint64_t without_key = 0;       // of those received, and handled whatever came before
  std::uint64_t retried = 0;           // attempts that failed and were not the last
  std::uint64_t rejected = 0;          // kept as dead letters, by the service's verdict
  std::uint64_t exhausted = 0;         // kept as dead letters, out of attempts
  std::uint64_t timed_out = 0;         // attempts that failed by their deadline
  std::uint64_t invalid_verdicts = 0;  // attempts that failed by what they returned
  std::uint64_t late_answers = 0;
  std::uint64_t unavailable = 0;
  std::uint64_t expired = 0;
  std::uint64_t discarded = 0;     // out of attempts
  std::uint64_t inline_calls = 0;  // of the service, by the receive thread
  std::uint64_t not_brief = 0;     // of these, those that took too long
  std::size_t queued = 0;          // waiting for a worker
  std::size_t in_flight = 0;       // in the service's hands
  std::size_t delayed = 0;  // waiting for their retry, to be kept as dead letters, or for another
                            // message with their key
  std::size_t waiting_for_delay = 0;
  std::size_t expired_pending = 0;   // past their deadline, and never completed
  bool rate_holds = false;           // max_rate, and nothing else, keeps a message waiting now
  Monotonic::duration rate_held{};   // how long it has done so, in all
  std::size_t keys = 0;              // of handled messages
  std::uint64_t keys_forgotten = 0;  // before their time: there were too many
};

struct DispatcherTimes {
  HistogramSnapshot handle;    // seconds from a call of the service to its verdict
  HistogramSnapshot delivery;  // seconds from the socket to the last verdict
  HistogramSnapshot batch;     // messages that came together
};

}  // namespace triggerd::dispatch
