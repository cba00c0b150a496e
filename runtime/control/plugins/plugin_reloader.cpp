#include "control/plugins/plugin_reloader.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/units.hpp"
#include "plugin/loader/child_probe.hpp"
#include "plugin/loader/staged_copy.hpp"

namespace triggerd::control {
namespace {

// A wait for calls looks this often whether the runtime stops.
constexpr Millis kSlice{50};
// For a worker between two messages, which only a probe keeps.
constexpr Millis kJoin{1'000};
// A generation on probation is sent back where more than half of its verdicts, and at least so
// many, are no success, and the one before did better.
constexpr std::uint64_t kFailures = 10;

}  // namespace

PluginReloader::Tally PluginReloader::tally(const dispatch::Dispatcher::Stats& stats) {
  return {.good = stats.ok,
          .bad = stats.retried + stats.rejected + stats.exhausted + stats.discarded};
}

PluginReloader::PluginReloader(PluginSet& plugins, const Registry& registry, ControlThread& control,
                               Options options, Log& log)
    : plugins_(plugins),
      registry_(registry),
      control_(control),
      options_(std::move(options)),
      log_(log) {}

std::map<std::string, PluginReloader::Counts> PluginReloader::counts() const {
  MutexLock lock(mutex_);
  return counts_;
}

std::vector<trigger::Trigger*> PluginReloader::triggers_of(
    const plugin::Generation& generation) const {
  std::vector<trigger::Trigger*> found;
  const auto running = registry_.now();
  for (const TriggerPtr& trigger : running->triggers) {
    if (trigger->uses(generation)) found.push_back(trigger.get());
  }
  return found;
}

Result<PluginReloader::Report> PluginReloader::reload(const std::string& plugin,
                                                      const management::PluginReloadOptions& how) {
  const Generation old = plugins_.in_service(plugin);
  if (!old) {
    return fail("{}", plugins_.why_not_loaded(plugin));
  }
  auto done = replace(plugin, {}, how);
  if (!done) {
    log_.error("plugin.reload_failed", {{"plugin", plugin}, {"stage", done.error().stage}},
               "{}; generation {} stays in service", done.error().error.message, old->number());
    MutexLock lock(mutex_);
    ++counts_[plugin].failed;
    return tl::make_unexpected(done.error().error);
  }
  if (done->outcome == Outcome::unchanged) {
    log_.debug("plugin.unchanged", {{"plugin", plugin}}, "the file is the one already in service");
    return *done;
  }
  // By what it did until its messages were held back.
  const auto probation = probations_.find(plugin);
  const bool old_is_good =
      probation == probations_.end() || is_doing_well(probation->second, at_swap_);
  // A bad one is replaced with the one before; where that is on probation, and has not shown yet
  // that it does well, with the last one that has. The copy of `old` is there as long as `old` is.
  begin_probation(plugin, old_is_good ? keep_previous(*old) : probation->second.previous);
  return *done;
}

void PluginReloader::forget(const trigger::Trigger& trigger) {
  for (auto& [plugin, probation] : probations_) {
    std::erase_if(probation.before, [&](const auto& entry) { return entry.first == &trigger; });
  }
}

void PluginReloader::forget(const std::string& plugin) {
  const auto found = probations_.find(plugin);
  if (found == probations_.end()) return;
  std::error_code error;
  std::filesystem::remove(found->second.previous, error);
  probations_.erase(found);
}

void PluginReloader::drop_unused_plugins() {
  const auto running = registry_.now();
  const auto dropped = plugins_.drop_unused([&](const plugin::Generation& generation) {
    return std::any_of(running->triggers.begin(), running->triggers.end(),
                       [&](const TriggerPtr& trigger) { return trigger->uses(generation); });
  });
  for (const std::string& plugin : dropped) forget(plugin);
}

// ---- Watching the files ----

Result<> PluginReloader::watch() {
  auto watcher = plugin::Watcher::start(
      {.plugins = plugins_.watched()},
      [this](const std::string& plugin) {
        (void)control_.post([this, plugin] { (void)reload(plugin, {}); });
      },
      log_);
  if (!watcher) return tl::make_unexpected(watcher.error());
  watcher_ = std::move(*watcher);
  return {};
}

Result<> PluginReloader::watch_again() {
  if (!watcher_) return {};
  watcher_.reset();
  return watch();
}

// ---- One replacement ----

tl::expected<PluginReloader::Report, PluginReloader::Failure> PluginReloader::replace(
    const std::string& plugin, const std::filesystem::path& file,
    const management::PluginReloadOptions& how) {
  const auto failed = [](const char* stage, Error error) {
    return tl::make_unexpected(Failure{stage, std::move(error)});
  };
  if (plugins_.leaked() >= options_.max_leaked) {
    return failed("load", {fmt::format("{} plugin generations could not be unloaded, which is the "
                                       "limit; restart the runtime",
                                       plugins_.leaked())});
  }
  const Generation old = plugins_.in_service(plugin);
  bool unchanged = false;
  auto next = plugins_.load_next(plugin, file, [&](const plugin::StagedCopy& copy) -> Result<> {
    unchanged = !how.even_unchanged() && copy.sha256() == old->sha256();
    if (unchanged) return fail("is unchanged");
    if (options_.probe_program.empty()) return {};
    return plugin::probe_in_child(options_.probe_program, copy.path(), options_.probe_timeout);
  });
  if (unchanged) {
    return Report{.outcome = Outcome::unchanged,
                  .generation = old->number(),
                  .version = std::string(old->version()),
                  .pause = {}};
  }
  if (!next) return failed("load", next.error());

  const std::vector<trigger::Trigger*> triggers = triggers_of(*old);
  const auto drop_successors = [&] {
    for (trigger::Trigger* trigger : triggers) trigger->drop_successor();
  };
  for (trigger::Trigger* trigger : triggers) {
    if (auto made = trigger->make_successor(*old, *next); !made) {
      Error error{fmt::format("trigger \"{}\": {}", trigger->name(), made.error().message)};
      drop_successors();
      return failed("create", std::move(error));
    }
  }
  const auto pause = swap(triggers, how);
  if (!pause) {
    drop_successors();
    return tl::make_unexpected(pause.error());
  }
  plugins_.put_in_service(plugin, *next);
  {
    MutexLock lock(mutex_);
    Counts& counts = counts_[plugin];
    ++counts.reloaded;
    counts.last_pause = *pause;
    counts.longest_pause = std::max(counts.longest_pause, *pause);
  }
  log_.info("plugin.reloaded",
            {{"plugin", plugin},
             {"version", std::string((*next)->version())},
             {"generation", std::to_string((*next)->number())},
             {"sha256", (*next)->sha256().substr(0, 12)}},
            "in service; messages waited {:.1f} ms", static_cast<double>(pause->count()) / 1000);
  for (trigger::Trigger* trigger : triggers) trigger->forget_predecessor();
  return Report{.outcome = Outcome::reloaded,
                .generation = (*next)->number(),
                .version = std::string((*next)->version()),
                .pause = *pause};
}

bool PluginReloader::quiesce(const std::vector<trigger::Trigger*>& triggers, Monotonic deadline) {
  // All at once, and then each: they end their calls side by side.
  for (trigger::Trigger* trigger : triggers) (void)trigger->quiesce(system_clock().now());
  return std::all_of(triggers.begin(), triggers.end(), [&](trigger::Trigger* trigger) {
    while (!trigger->quiesce(std::min(deadline, system_clock().now() + kSlice))) {
      if (cancelled_ || system_clock().now() >= deadline) return false;
    }
    return true;
  });
}

// How long no message was handled. After a failure everything is as before.
tl::expected<std::chrono::microseconds, PluginReloader::Failure> PluginReloader::swap(
    const std::vector<trigger::Trigger*>& triggers, const management::PluginReloadOptions& how) {
  const Monotonic began = system_clock().now();
  const auto unquiesce_all = [&] {
    for (trigger::Trigger* trigger : triggers) trigger->unquiesce();
  };
  bool quiet = quiesce(triggers, began + options_.drain_timeout);
  if (!quiet && how.force && !cancelled_) {
    for (trigger::Trigger* trigger : triggers) trigger->revoke_pending();
    quiet = quiesce(triggers, system_clock().now());
  }
  if (!quiet) {
    unquiesce_all();
    return tl::make_unexpected(
        Failure{"gate",
                {cancelled_ ? std::string("the runtime is stopping")
                            : fmt::format("the service did not finish its calls and pending "
                                          "messages within {}",
                                          format_duration(options_.drain_timeout))}});
  }
  for (std::size_t i = 0; i < triggers.size(); ++i) {
    auto done = triggers[i]->hand_over(system_clock().now() + kJoin, !how.drop_state);
    if (done) continue;
    while (i-- > 0) triggers[i]->take_back(system_clock().now() + kJoin);
    unquiesce_all();
    return tl::make_unexpected(Failure{"hand over", done.error()});
  }
  at_swap_ = standings_of(triggers);
  unquiesce_all();
  return std::chrono::duration_cast<std::chrono::microseconds>(system_clock().now() - began);
}

// ---- Probation ----

// The private copy goes with its generation, so it gets a second name.
std::filesystem::path PluginReloader::keep_previous(const plugin::Generation& old) {
  std::filesystem::path kept = old.copy().parent_path() / (old.name() + ".previous.so");
  std::error_code error;
  std::filesystem::remove(kept, error);
  std::filesystem::create_hard_link(old.copy(), kept, error);
  return error ? std::filesystem::path() : kept;
}

void PluginReloader::begin_probation(const std::string& plugin,
                                     const std::filesystem::path& previous) {
  if (previous.empty()) return;
  Probation probation{.until = control_.clock().now() + options_.probation,
                      .previous = previous,
                      .before = std::move(at_swap_)};
  const bool looking = probations_.contains(plugin);
  probations_[plugin] = std::move(probation);
  if (!looking) control_.after(options_.probation_look, [this, plugin] { look_at(plugin); });
}

PluginReloader::Standings PluginReloader::standings_of(
    const std::vector<trigger::Trigger*>& triggers) {
  Standings all;
  for (trigger::Trigger* trigger : triggers) all.emplace_back(trigger, trigger->stats());
  return all;
}

PluginReloader::Record PluginReloader::record_of(const Probation& probation, const Standings& now) {
  Record record;
  for (const auto& [trigger, stats] : probation.before) {
    const auto found = std::find_if(now.begin(), now.end(), [trigger = trigger](const auto& each) {
      return each.first == trigger;
    });
    if (found == now.end()) continue;
    const Tally then = tally(stats);
    const Tally today = tally(found->second);
    record.before.good += then.good;
    record.before.bad += then.bad;
    record.since.good += today.good - then.good;
    record.since.bad += today.bad - then.bad;
  }
  return record;
}

bool PluginReloader::is_doing_well(const Probation& probation, const Standings& now) {
  const Tally since = record_of(probation, now).since;
  return since.good > 0 && !since.mostly_bad();
}

void PluginReloader::look_at(const std::string& plugin) {
  const auto found = probations_.find(plugin);
  if (found == probations_.end() || cancelled_) return;
  const auto [before, since] =
      record_of(found->second, standings_of(triggers_of(*plugins_.in_service(plugin))));
  if (since.bad >= kFailures && since.mostly_bad() && !before.mostly_bad()) {
    const std::filesystem::path previous = found->second.previous;
    probations_.erase(found);
    roll_back(plugin, previous,
              fmt::format("{} of {} verdicts are failures", since.bad, since.bad + since.good));
    return;
  }
  if (control_.clock().now() >= found->second.until) {
    std::error_code error;
    std::filesystem::remove(found->second.previous, error);
    probations_.erase(found);
    return;
  }
  control_.after(options_.probation_look, [this, plugin] { look_at(plugin); });
}

void PluginReloader::roll_back(const std::string& plugin, const std::filesystem::path& previous,
                               const std::string& reason) {
  const unsigned bad = plugins_.in_service(plugin)->number();
  log_.error("plugin.rolled_back", {{"plugin", plugin}, {"generation", std::to_string(bad)}},
             "generation {} is on probation, and {}: rolling back to the previous one", bad,
             reason);
  auto done = replace(plugin, previous, {});
  if (!done) {
    log_.error("plugin.reload_failed", {{"plugin", plugin}, {"stage", done.error().stage}},
               "{}; generation {} stays in service", done.error().error.message, bad);
  }
  std::error_code error;
  std::filesystem::remove(previous, error);
  MutexLock lock(mutex_);
  ++(done ? counts_[plugin].rolled_back : counts_[plugin].failed);
}

}  // namespace triggerd::control
