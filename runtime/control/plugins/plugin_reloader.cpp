#include "control/plugins/plugin_reloader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "plugin/loader/child_probe.hpp"

namespace triggerd::control {
namespace {

// The private copy goes with its generation, so it gets a second name; what had that name before
// keeps it if this fails. Empty: it could not be given one.
std::filesystem::path keep_previous(const std::string& plugin, const PluginBuild& old) {
  const std::string name = std::filesystem::path(plugin).filename().string();
  std::filesystem::path kept = old.copy.parent_path() / (name + ".previous.so");
  std::filesystem::path next = kept;
  next += ".new";
  std::error_code error;
  std::filesystem::remove(next, error);
  std::filesystem::create_hard_link(old.copy, next, error);
  if (!error) std::filesystem::rename(next, kept, error);
  return error ? std::filesystem::path() : kept;
}

Error stopping() {
  return {"the runtime is stopping"};
}

tl::unexpected<ReloadFailure> failed_at(const char* stage, Error error) {
  return tl::make_unexpected(ReloadFailure{stage, std::move(error)});
}

}  // namespace

PluginReloader::PluginReloader(PluginBuilds& builds, const PluginUsers& users,
                               ControlThread& control, Options options, Log& log)
    : builds_(builds),
      users_(users),
      control_(control),
      options_(std::move(options)),
      log_(log),
      probation_(control.clock(), options_.probation) {}

std::map<std::string, PluginReloader::Counts> PluginReloader::counts() const {
  MutexLock lock(mutex_);
  return counts_;
}

Result<PluginReloader::Report> PluginReloader::reload(const std::string& plugin,
                                                      const management::PluginReloadOptions& how) {
  const auto old = builds_.in_service(plugin);
  if (!old) {
    return fail("{}", builds_.why_not_loaded(plugin));
  }
  auto done = replace(plugin, {}, how);
  if (!done) {
    log_.error("plugin.reload_failed", {{"plugin", plugin}, {"stage", done.error().stage}},
               "{}; generation {} stays in service", done.error().error.message, old->number);
    MutexLock lock(mutex_);
    ++counts_[plugin].failed;
    return tl::make_unexpected(done.error().error);
  }
  if (done->report.outcome == Outcome::unchanged) {
    log_.debug("plugin.unchanged", {{"plugin", plugin}}, "the file is the one already in service");
    return std::move(done->report);
  }
  // A bad one is replaced with the one before; where that is on probation, and has not shown yet
  // that it does well, with the last one that has. It is judged by what it did until its messages
  // were held back. The copy of `old` is there as long as `old` is.
  std::filesystem::path previous;
  if (probation_.is_doing_well(plugin, done->at_swap)) previous = keep_previous(plugin, *old);
  if (previous.empty()) previous = probation_.previous(plugin);
  begin_probation(plugin, previous, std::move(done->at_swap));
  return std::move(done->report);
}

void PluginReloader::drop_unused_plugins() {
  const auto dropped =
      builds_.drop_unused([this](const PluginBuild& build) { return !users_.of(build).empty(); });
  for (const std::string& plugin : dropped) probation_.forget(plugin);
}

// ---- Watching the files ----

void PluginReloader::file_changed(const std::string& plugin) {
  (void)control_.post([this, plugin] {
    if (!cancelled_) (void)reload(plugin, {});
  });
}

Result<> PluginReloader::watch() {
  auto watcher = plugin::Watcher::start(
      {.plugins = builds_.watched()}, [this](const std::string& plugin) { file_changed(plugin); },
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

tl::expected<PluginReloader::Replaced, ReloadFailure> PluginReloader::replace(
    const std::string& plugin, const std::filesystem::path& file,
    const management::PluginReloadOptions& how) {
  if (cancelled_) return failed_at("load", stopping());
  if (builds_.leaked() >= options_.max_leaked) {
    return failed_at("load", {fmt::format("{} plugin generations could not be unloaded, which is "
                                          "the limit; restart the runtime",
                                          builds_.leaked())});
  }
  const PluginBuild old = *builds_.in_service(plugin);
  bool unchanged = false;
  const auto next = builds_.load_next(
      plugin, file, [&](const std::filesystem::path& copy, const std::string& sha256) -> Result<> {
        unchanged = !how.even_unchanged() && sha256 == old.sha256;
        if (unchanged) return fail("is unchanged");
        if (options_.probe_program.empty()) return {};
        return plugin::probe_in_child(options_.probe_program, copy, options_.probe_timeout);
      });
  if (unchanged) {
    return Replaced{.report = {.outcome = Outcome::unchanged,
                               .generation = old.number,
                               .version = old.version,
                               .pause = {}},
                    .at_swap = {}};
  }
  if (!next) return failed_at("load", next.error());
  if (cancelled_) return failed_at("load", stopping());

  const PluginUsers::List users = users_.of(old);
  auto swapped = take_over(old, *next, users, how);
  if (!swapped) {
    for (const auto& user : users) user->drop_successor();
    return tl::make_unexpected(swapped.error());
  }
  builds_.put_in_service(plugin, *next);
  note_reloaded(plugin, *next, swapped->pause);
  for (const auto& user : users) user->forget_predecessor();
  return Replaced{.report = {.outcome = Outcome::reloaded,
                             .generation = next->number,
                             .version = next->version,
                             .pause = swapped->pause},
                  .at_swap = std::move(swapped->standings)};
}

tl::expected<Swapped, ReloadFailure> PluginReloader::take_over(
    const PluginBuild& old, const PluginBuild& next, const PluginUsers::List& users,
    const management::PluginReloadOptions& how) {
  for (const auto& user : users) {
    if (cancelled_) return failed_at("create", stopping());
    if (auto made = user->make_successor(old, next); !made) {
      return failed_at("create",
                       {fmt::format("trigger \"{}\": {}", user->name(), made.error().message)});
    }
  }
  return swap_builds(
      users,
      {.drain_timeout = options_.drain_timeout, .force = how.force, .with_state = !how.drop_state},
      control_.clock(), cancelled_);
}

void PluginReloader::note_reloaded(const std::string& plugin, const PluginBuild& next,
                                   std::chrono::microseconds pause) {
  {
    MutexLock lock(mutex_);
    Counts& counts = counts_[plugin];
    ++counts.reloaded;
    counts.last_pause = pause;
    counts.longest_pause = std::max(counts.longest_pause, pause);
  }
  log_.info("plugin.reloaded",
            {{"plugin", plugin},
             {"version", next.version},
             {"generation", std::to_string(next.number)},
             {"sha256", next.sha256.substr(0, 12)}},
            "in service; messages waited {:.1f} ms", static_cast<double>(pause.count()) / 1000);
}

// ---- Probation ----

void PluginReloader::begin_probation(const std::string& plugin,
                                     const std::filesystem::path& previous, Standings at_swap) {
  std::error_code gone;
  if (previous.empty() || !std::filesystem::exists(previous, gone)) {
    // There is nothing to go back to.
    probation_.forget(plugin);
    return;
  }
  probation_.begin(plugin, previous, std::move(at_swap));
  look_later(plugin);
}

// One look is under way for each plugin, whichever of its builds is on probation by then.
void PluginReloader::look_later(const std::string& plugin) {
  if (!looks_.insert(plugin).second) return;
  control_.after(options_.probation_look, [this, plugin] {
    looks_.erase(plugin);
    look_at(plugin);
  });
}

void PluginReloader::look_at(const std::string& plugin) {
  if (cancelled_ || !probation_.contains(plugin)) return;
  const auto judgement =
      probation_.judge(plugin, standings_of(users_.of(*builds_.in_service(plugin))));
  switch (judgement.kind) {
    case Probation::Judgement::Kind::stays:
      look_later(plugin);
      break;
    case Probation::Judgement::Kind::trusted:
      break;
    case Probation::Judgement::Kind::failed:
      roll_back(plugin, judgement.previous, judgement.reason);
      break;
  }
}

void PluginReloader::roll_back(const std::string& plugin, const std::filesystem::path& previous,
                               const std::string& reason) {
  const unsigned bad = builds_.in_service(plugin)->number;
  log_.error("plugin.rolled_back", {{"plugin", plugin}, {"generation", std::to_string(bad)}},
             "generation {} is on probation, and {}: rolling back to the previous one", bad,
             reason);
  const auto done = replace(plugin, previous, {});
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
