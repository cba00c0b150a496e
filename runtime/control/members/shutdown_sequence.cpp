#include "control/members/shutdown_sequence.hpp"

#include <algorithm>

#include "base/task_guard.hpp"
#include "control/members/close_all.hpp"
#include "trigger/draining.hpp"
#include "trigger/grace.hpp"

namespace triggerd::control {
namespace {

constexpr Millis kDestroyAgain{1'000};
// How long the server may take to confirm what was sent from an outbox; without that, QoS 1 is sent
// again.
constexpr Millis kConfirmGrace{1'000};

void close_connections(const std::vector<TriggerPtr>& triggers, Monotonic deadline) {
  close_all(
      triggers, [](const TriggerPtr& trigger, auto done) { trigger->close(done); }, deadline);
}

void close_connections(const std::vector<AliasPtr>& aliases, Monotonic deadline) {
  close_all(
      aliases, [](const AliasPtr& alias, auto done) { alias->connection()->close(done); },
      deadline);
}

}  // namespace

void ShutdownSequence::take_out(const std::vector<TriggerPtr>& triggers, Millis drain_timeout) {
  if (triggers.empty()) return;
  const Monotonic drained = in(drain_timeout);
  for (const TriggerPtr& trigger : triggers) {
    needs_.reloader.forget_trigger(trigger->name());
    trigger->stop_receiving();
  }
  drain(triggers, drained);
  (void)needs_.writer.flush(in(trigger::kDisconnectGrace));
  close_connections(triggers, in(trigger::kDisconnectGrace + trigger::kDisconnectGrace));
  const std::vector<TriggerPtr> hung = finish(triggers, in(trigger::kServiceGrace));
  needs_.registry.change([&](Running& running) { running.triggers.remove(triggers); });
  for (const TriggerPtr& trigger : triggers) {
    trigger->end_tasks();
    const bool is_hung = std::find(hung.begin(), hung.end(), trigger) != hung.end();
    (is_hung ? hung_ : stopped_).push_back(trigger);
  }
  destroy_stopped();
}

void ShutdownSequence::drain(const std::vector<TriggerPtr>& triggers, Monotonic deadline) {
  std::vector<trigger::Draining*> all;
  all.reserve(triggers.size());
  for (const TriggerPtr& trigger : triggers) all.push_back(trigger.get());
  const bool stops = needs_.control.stopping();  // else it may be told to meanwhile
  trigger::drain_all(
      all, needs_.writer, deadline, [this, stops] { return !stops && needs_.control.stopping(); },
      needs_.clock);
}

// Returns those that are hung in a call of their service.
std::vector<TriggerPtr> ShutdownSequence::finish(const std::vector<TriggerPtr>& triggers,
                                                 Monotonic deadline) {
  for (const TriggerPtr& trigger : triggers) trigger->end_workers();
  for (const TriggerPtr& trigger : triggers) trigger->join_workers(deadline);
  std::vector<TriggerPtr> hung;
  for (const TriggerPtr& trigger : triggers) {
    if (!trigger->finish(deadline)) hung.push_back(trigger);
  }
  const bool written = needs_.writer.flush(std::max(deadline, in(trigger::kLastWrite)));
  for (const TriggerPtr& trigger : triggers) trigger->report_unfinished(written);
  return hung;
}

// Once nobody can be looking at them any more.
void ShutdownSequence::destroy_stopped() {
  if (stopped_.empty()) return;
  pass(needs_.supervisor);
  pass(needs_.timer);
  if (needs_.writer.flush(in(trigger::kDisconnectGrace))) {
    stopped_.clear();
    return;
  }
  // What the writer cannot write lives in their memory.
  needs_.control.after(kDestroyAgain, [this] { destroy_stopped(); });
}

void ShutdownSequence::take_out(const std::vector<AliasPtr>& aliases) {
  if (aliases.empty()) return;
  // What is published meanwhile is kept.
  std::vector<outbox::OutboxPtr> outboxes;
  for (const AliasPtr& alias : aliases) {
    if (alias->outbox()) outboxes.push_back(alias->outbox());
  }
  outbox::Outboxes::rest(outboxes, in(kConfirmGrace));
  for (const AliasPtr& alias : aliases) needs_.publisher.remove(alias->name());
  needs_.registry.change([&](Running& running) { running.aliases.remove(aliases); });
  close_connections(aliases, in(trigger::kDisconnectGrace + trigger::kDisconnectGrace));
  pass(needs_.supervisor);
}

bool ShutdownSequence::stop_all(const Deadlines& deadlines) {
  const auto running = needs_.registry.now();
  const std::vector<TriggerPtr>& triggers = running->triggers.all();
  for (const TriggerPtr& trigger : triggers) trigger->stop_receiving();
  drain(triggers, deadlines.drained);
  (void)needs_.writer.flush(deadlines.quiet);
  close_connections(triggers, deadlines.quiet);
  const bool quiet = finish(triggers, deadlines.quiet).empty() && hung_.empty();
  needs_.outboxes.rest(std::min(in(kConfirmGrace), deadlines.ended));
  close_connections(running->aliases.all(), deadlines.ended);
  return quiet;
}

}  // namespace triggerd::control
