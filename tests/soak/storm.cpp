#include "soak/storm.hpp"

#include <fmt/format.h>

#include <csignal>
#include <deque>
#include <sstream>

namespace triggerd::soak {

Storm::Storm(const StormOptions& options, test::TriggerdProcess& runtime,
             test::MosquittoServer& server, CutNetwork& network, SmallDisk& disk)
    : runtime_(runtime), after_kill_(options.after_kill), random_(options.seed) {
  killed_ = {.between = options.between_kills,
             .shortest = Millis(0),
             .longest = Millis(500),
             .begin = [this] { kill(); },
             .end =
                 [this] {
                   runtime_.start();
                   was_full_ = full_.on;
                 }};
  stopped_ = {.between = options.between_restarts,
              .shortest = Millis(100),
              .longest = Millis(2'000),
              .begin = [&server] { server.stop(); },
              .end =
                  [this, &server] {
                    server.start();
                    ++counts_.restarts;
                  }};
  cut_ = {.between = options.between_cuts,
          .shortest = Millis(100),
          .longest = Millis(3'000),
          .begin = [&network] { network.cut(); },
          .end =
              [this, &network] {
                network.heal();
                ++counts_.cuts;
              }};
  full_ = {.between = options.between_disk_fulls,
           .shortest = Millis(1'000),
           .longest = Millis(2'000),
           .begin =
               [this, &disk] {
                 disk.fill();
                 was_full_ = true;
                 ++counts_.disk_fulls;
               },
           .end = [&disk] { disk.free(); }};
  const Monotonic now = std::chrono::steady_clock::now();
  for (Fault* fault : {&killed_, &stopped_, &cut_, &full_}) {
    fault->next = now + between(fault->between / 4, fault->between);
  }
}

Millis Storm::between(Millis least, Millis most) {
  return Millis(std::uniform_int_distribution<Millis::rep>(least.count(), most.count())(random_));
}

void Storm::step() {
  look_after_runtime();
  for (Fault* fault : {&killed_, &stopped_, &cut_, &full_}) {
    if (std::chrono::steady_clock::now() >= fault->next) change(*fault);
  }
}

void Storm::change(Fault& fault) {
  fault.on = !fault.on;
  fault.on ? fault.begin() : fault.end();
  const Millis wait = fault.on ? between(fault.shortest, fault.longest)
                               : between(fault.between / 50, fault.between * 2);
  fault.next = std::chrono::steady_clock::now() + wait;
}

void Storm::kill() {
  look_after_runtime();
  if (!runtime_.process().running()) return;
  const bool ready = runtime_.wait_for_event("runtime.ready", {}, 0, Millis(0)).has_value();
  runtime_.kill();
  if (runtime_.process().wait() == test::Exit{0, SIGKILL}) {
    ++counts_.kills;
    if (!ready) ++counts_.kills_starting;
    after_kill_();
  }
  take_log();
}

// A runtime that ends by itself is started again, as a service manager would.
void Storm::look_after_runtime() {
  if (killed_.on || runtime_.process().running()) return;
  const auto exit = runtime_.process().wait();
  if (was_full_ && exit && exit->signal == 0) {
    ++counts_.refused_starts;
  } else {
    std::ostringstream how;
    if (exit) how << *exit;
    crashes_.push_back(how.str() + "; it said:\n" + last_words());
  }
  take_log();
  killed_.on = true;
  killed_.next = std::chrono::steady_clock::now() + Millis(500);
}

void Storm::take_log() {
  for (const test::OutputLine& line : runtime_.process().lines()) {
    const auto event = test::event_of(line.text);
    if (!event.empty()) ++counts_.events[std::string(event)];
  }
}

void Storm::heal() {
  for (Fault* fault : {&full_, &cut_, &stopped_, &killed_}) {
    if (fault->on) change(*fault);
  }
  look_after_runtime();
  if (killed_.on) change(killed_);
}

std::string Storm::last_words() const {
  std::deque<std::string> words;
  for (const test::OutputLine& line : runtime_.process().lines()) {
    if (test::event_of(line.text).starts_with("message.")) continue;
    words.push_back(line.text);
    if (words.size() > 20) words.pop_front();
  }
  return fmt::format("{}", fmt::join(words, "\n"));
}

}  // namespace triggerd::soak
