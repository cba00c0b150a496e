#include "control/runtime.hpp"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>

#include "base/units.hpp"
#include "control/alias_connection.hpp"
#include "control/close_all.hpp"
#include "dispatch/deaths.hpp"
#include "trigger/grace.hpp"

namespace triggerd::control {
namespace {

constexpr Millis kBeat{1'000};
constexpr Millis kTrialsKept{1'000};  // after the start

}  // namespace

// What mqtt/ wants to know of earlier sessions, from the inbox. An inbox that fails costs
// knowledge, not messages: it is reported, and the connection goes on.
class Runtime::InboxSessions final : public mqtt::SessionMemory {
 public:
  InboxSessions(inbox::Inbox& inbox, Log& log) : inbox_(inbox), log_(log) {}

  std::optional<std::vector<std::string>> filters(const std::string& client_id) override {
    auto kept = inbox_.session(client_id);
    if (!kept) {
      report(client_id, kept.error());
      return std::nullopt;
    }
    return std::move(*kept);
  }
  void remember(const std::string& client_id, const std::vector<std::string>& filters) override {
    if (auto done = inbox_.remember_session(client_id, filters); !done) {
      report(client_id, done.error());
    }
  }
  void forget(const std::string& client_id) override {
    placed_.erase(client_id);
    if (auto done = inbox_.forget_session(client_id); !done) report(client_id, done.error());
  }
  void found_at(const mqtt::ConnectionOptions& options, const std::string& server) override {
    if (const auto known = placed_.find(options.client_id);
        known != placed_.end() && known->second == server) {
      return;
    }
    const auto before = inbox_.place_session({options.client_id, options.alias, server});
    if (!before) {
      report(options.client_id, before.error());
      return;
    }
    placed_[options.client_id] = server;
    if (!*before || (*before)->server.empty() || (*before)->server == server) return;
    for (const config::Server& other : options.servers) {
      if (config::to_string(other) == (*before)->server) return;  // one session, on all of them
    }
    log_.warn("session.left", {{"alias", options.alias}, {"client_id", options.client_id}},
              "it is at {} now; where {} is another server, that keeps its session under this "
              "client id, and what is published there: end it there",
              server, (*before)->server);
  }

 private:
  void report(const std::string& client_id, const Error& error) {
    log_.error("inbox.error", {{"client_id", client_id}}, "{}", error.message);
  }

  inbox::Inbox& inbox_;
  Log& log_;
  std::map<std::string, std::string, std::less<>> placed_;  // [supervisor] servers by client id
};

Runtime::Runtime(config::Config config, std::filesystem::path state_dir, Log& log,
                 RuntimeOptions options)
    : state_dir_(std::move(state_dir)),
      options_(std::move(options)),
      patience_(std::make_shared<plugin::Patience>()),
      started_at_(system_clock().wall()),
      log_(log, events_),
      config_(std::make_shared<const config::Config>(std::move(config))),
      supervisor_(std::make_shared<EventLoop>(system_clock())),
      timer_(system_clock()),
      control_(system_clock()),
      library_(log_, system_clock()),
      resolver_(mqtt::make_system_resolver(system_clock())),
      plugins_(config_, state_dir_ / "plugins", log_, options_.probe_program),
      package_failures_(config_),
      reloader_(
          plugins_, triggers_, control_,
          {.probe_program = options_.probe_program,
           .drain_timeout = config_->runtime.drain_timeout,
           .probation = options_.probation},
          [this] { note_plugins(); }, log_),
      rotation_loop_(system_clock()) {
  plugins_.bound_calls(patience_);
}

// What the writer still holds lives in memory of the triggers.
Runtime::~Runtime() {
  writer_.reset();
}

// ---- Making ----

tl::expected<void, Runtime::Problem> Runtime::prepare() {
  auto certificates = mqtt::tls::Stores::load(*config());
  if (!certificates) return tl::make_unexpected(std::move(certificates.error()));
  certificates_ = *std::move(certificates);
  // Copies that a runtime which was killed has left behind; nobody else uses this folder.
  std::error_code ignored;
  std::filesystem::remove_all(state_dir_ / "plugins", ignored);
  plugins_.remember_trials(state_dir_ / "trials",
                           options_.deaths == nullptr || !options_.deaths->last_run_crashed());
  auto inbox = inbox::Inbox::open(
      state_dir_ / "inbox.db",
      {.vfs = {}, .set_aside = [this](const std::filesystem::path& aside, const std::string& why) {
         log_.error("inbox.damaged", {}, "{}; it is kept as {}, and a new one begins", why,
                    aside.string());
       }});
  if (!inbox) return tl::make_unexpected(inbox.error());
  inbox_ = std::move(*inbox);
  const config::InboxSection all_inbox = config()->inbox;
  writer_ = std::make_unique<inbox::Writer>(
      *inbox_,
      inbox::Writer::Options{.sync_to_disk = all_inbox.sync_to_disk,
                             .max_size = all_inbox.max_size,
                             .mended =
                                 [this](const std::string& what) {
                                   log_.warn("inbox.written_again", {},
                                             "{} while it was in use; it was written again from "
                                             "what is open",
                                             what);
                                 }},
      [this](const std::optional<std::string>& reason) {
        if (reason) {
          log_.error("inbox.trouble", {}, "{}; receiving pauses until it is over", *reason);
        } else {
          log_.info("inbox.recovered", {}, "the inbox can be written again");
        }
        MutexLock lock(trouble_mutex_);
        inbox_trouble_ = reason;
        if (!told_of_trouble_) return;  // start() tells them
        for (const auto& trigger : all_triggers()) trigger->inbox_trouble(reason);
      });
  if (const std::uint64_t limit = writer_->limit(); limit < all_inbox.max_size) {
    log_.warn("inbox.small_volume", {},
              "max_size is {} bytes, and the volume of {} has room for {}: receiving pauses when "
              "these are used up",
              all_inbox.max_size, state_dir_.string(), limit);
  }
  sessions_ = std::make_unique<InboxSessions>(*inbox_, log_);
  connections_ = std::make_unique<mqtt::ConnectionServices>(
      mqtt::ConnectionServices{.supervisor = supervisor_,
                               .resolver = *resolver_,
                               .make_client = library_.factory(),
                               .sessions = *sessions_,
                               .random = system_random(),
                               .log = log_});
  {
    base_ = config();
    config::Config effective = *base_;
    auto states = overlay_states(effective);
    if (!states) return tl::make_unexpected(states.error());
    const auto shared = std::make_shared<const config::Config>(std::move(effective));
    plugins_.use(shared);
    package_failures_ = PackageFailures(shared);
    for (const auto& [package, problems] : certificates_.package_problems()) {
      for (const config::Diagnostic& problem : problems) package_failures_.add(package, problem);
    }
    MutexLock lock(members_mutex_);
    config_ = shared;
    alias_states_ = *std::move(states);
  }
  const ConfigPtr all = config();
  for (const config::Alias& alias : all->aliases) {
    if (!alias.enabled) continue;
    auto made = make_alias(alias);
    if (!made) return tl::make_unexpected(made.error());
    take_in(*std::move(made));
  }
  if (auto made = prepare_triggers(); !made) return made;
  leave_out_broken_packages();
  for (const TriggerPtr& trigger : triggers_) {
    if (auto made = trigger->make_connection(options_of(trigger->config())); !made) {
      return tl::make_unexpected(made.error());
    }
  }
  note_plugins();
  return {};
}

void Runtime::hurry() {
  patience_->end_by(system_clock().now() + drain_timeout());
}

// What a file says wrong stays wrong at the next start; what the machine lacks may be there then.
tl::expected<void, Runtime::Problem> Runtime::prepare_triggers() {
  std::vector<config::Diagnostic> diagnostics;
  std::vector<std::string> lacks;
  const ConfigPtr all = config();
  for (const config::Trigger& trigger : all->triggers) {
    if (!trigger.enabled) {
      log_.info("trigger.disabled", {{"trigger", trigger.name}}, "disabled by {}",
                is_of_disabled_package(*all, trigger) ? "its package" : "the configuration");
      continue;
    }
    const config::Alias* alias = all->find_alias(trigger.alias);
    if (alias == nullptr || !alias->enabled) {
      log_.warn("trigger.not_running", {{"trigger", trigger.name}, {"alias", trigger.alias}},
                "its alias is disabled");
      continue;
    }
    if (patience_->end() != Monotonic::max()) {
      lacks.emplace_back("the runtime is to stop");
      break;
    }
    auto made = make_trigger(trigger);
    if (made) {
      take_in(*std::move(made));
    } else if (!trigger.package.empty()) {
      package_failures_.add(trigger.package, std::move(made.error().why));
    } else if (made.error().may_pass) {
      lacks.push_back(std::move(made.error().why.message));
    } else {
      diagnostics.push_back(std::move(made.error().why));
    }
  }
  if (!diagnostics.empty()) return tl::make_unexpected(std::move(diagnostics));
  if (!lacks.empty()) return tl::make_unexpected(Error{fmt::format("{}", fmt::join(lacks, "; "))});
  return {};
}

void Runtime::leave_out_broken_packages() {
  package_failures_.spread();
  package_failures_.report(log_);
  const ConfigPtr all = config();
  MutexLock lock(members_mutex_);
  for (const config::Trigger& trigger : all->triggers) {
    if (!package_failures_.takes_out(trigger.name)) continue;
    constexpr const char* kWhy = "its package, or that of its alias, is broken";
    log_.warn("trigger.not_running", {{"trigger", trigger.name}}, "{}", kWhy);
    not_made_[trigger.name] = kWhy;
    std::erase_if(triggers_, [&](const TriggerPtr& made) { return made->name() == trigger.name; });
  }
  std::erase_if(aliases_, [&](const AliasPtr& alias) {
    const bool out = package_failures_.contains(all->find_alias(alias->name())->package);
    if (out) publisher_.remove(alias->name());
    return out;
  });
}

// Messages in the inbox of triggers that the configuration does not know.
void Runtime::report_strangers() {
  auto counts = inbox_->message_counts();
  if (!counts) return;
  const ConfigPtr all = config();
  for (const auto& [name, count] : *counts) {
    if (all->find_trigger(name) != nullptr) continue;
    log_.warn("inbox.strangers", {{"trigger", name}},
              "the inbox has {} message{} of a trigger that is not configured; they stay there",
              count, count == 1 ? "" : "s");
  }
}

// ---- Running ----

Result<> Runtime::watch_plugins() {
  auto watcher = plugin::Watcher::start(
      {.plugins = plugins_.watched()},
      [this](const std::string& plugin) {
        control_.post([this, plugin] { (void)reloader_.reload(plugin, {}); });
      },
      log_);
  if (!watcher) return tl::make_unexpected(watcher.error());
  watcher_ = std::move(*watcher);
  return {};
}

Result<> Runtime::start() {
  try {
    supervisor_thread_ =
        std::jthread([this](const std::stop_token& stop) { supervisor_->run(stop); });
    timer_thread_ = std::jthread([this](const std::stop_token& stop) { timer_.run(stop); });
    watch_certificates();
    beat(*supervisor_, supervisor_beat_);
    beat(timer_, timer_beat_);
    control_thread_ = std::jthread([this](const std::stop_token& stop) {
      pthread_setname_np(pthread_self(), "control");
      control_.run(stop);
    });
  } catch (const std::system_error& error) {
    return fail("cannot start a thread: {}", error.what());
  }
  {
    MutexLock lock(trouble_mutex_);
    told_of_trouble_ = true;
    if (inbox_trouble_) {
      for (const auto& trigger : triggers_) trigger->inbox_trouble(inbox_trouble_);
    }
  }
  for (const auto& alias : aliases_) alias->connection()->open();
  const ConfigPtr all = config();
  if (all->runtime.hot_reload) {
    if (auto watching = watch_plugins(); !watching) return watching;
    if (options_.load) {
      files_taken_ = files_seen_ = look_of_files();
      watch_files();
    }
  }
  report_strangers();
  MutexLock lock(control_mutex_);
  control_runs_ = true;
  // Before whatever comes: one that hangs holds up changes, and not the end.
  control_.post([this] { start_services(); });
  return {};
}

// [control]
void Runtime::start_services() {
  // All of them first: a start may take long, and hold up those behind it.
  for (const TriggerPtr& trigger : triggers_) trigger->begin_receiving();
  end_unwanted_sessions(nullptr, certificates_);
  for (const TriggerPtr& trigger : triggers_) {
    if (stopping_) return;
    (void)trigger->start_again();
  }
  log_.info("runtime.started", {}, "{} with {} alias{} and {} trigger{}", config()->runtime.name,
            aliases_.size(), aliases_.size() == 1 ? "" : "es", triggers_.size(),
            triggers_.size() == 1 ? "" : "s");
  // While it connects it has better things to do.
  control_.after(kTrialsKept, [this] { plugins_.keep_trials(); });
}

// [control]
void Runtime::start_later(trigger::Trigger& trigger, Millis delay) {
  control_.after(delay, [this, name = trigger.name(), failed = &trigger] {
    const TriggerPtr now = running_trigger(name);
    if (!stopping_ && now.get() == failed) (void)now->start_again();
  });
}

// On a thread of its own, as files may be slow.
void Runtime::watch_certificates() {
  begin_rotation();
  const auto look = [this](const auto& again) -> void {
    rotation_loop_.after(mqtt::tls::Rotation::kInterval, [this, again] {
      if (rotation_) rotation_->look();
      again(again);
    });
  };
  look(look);
  rotation_thread_ =
      std::jthread([this](const std::stop_token& stop) { rotation_loop_.run(stop); });
}

// With the configuration and the certificates of now. [control]
void Runtime::begin_rotation() {
  rotation_loop_.post([this, config = config(), stores = certificates_] {
    rotation_.reset();
    rotation_config_ = config;
    rotation_stores_ = stores;
    rotation_.emplace(*rotation_config_, rotation_stores_, system_clock(), log_);
    rotation_->tell_ages();
  });
}

// So that a thread which is stuck is seen.
void Runtime::beat(EventLoop& loop, std::atomic<std::int64_t>& last) {
  last = std::chrono::steady_clock::now().time_since_epoch().count();
  loop.after(kBeat, [this, &loop, &last] { beat(loop, last); });
}

void Runtime::beat(Millis interval, const std::function<void()>& tell) {
  timer_.after(interval, [this, interval, tell] {
    supervisor_->post([this, interval, tell] {
      if (!stuck_receiver()) tell();
      beat(interval, tell);
    });
  });
}

// [supervisor]
void Runtime::report_readiness() {
  if (stopping_) return;
  bool ready = false;
  {
    MutexLock lock(members_mutex_);
    ready = !package_failures_.any() && not_made_.empty() &&
            std::all_of(aliases_.begin(), aliases_.end(),
                        [](const auto& alias) { return alias->up(); }) &&
            std::all_of(triggers_.begin(), triggers_.end(),
                        [](const auto& trigger) { return trigger->running(); });
  }
  if (ready && !ready_) {
    log_.info("runtime.ready", {}, "every alias is connected and every trigger is running");
  } else if (!ready && ready_) {
    log_.warn("runtime.not_ready", {}, "not every alias is connected and every trigger running");
  }
  ready_ = ready;
}

// ---- Stopping ----

bool Runtime::stop() {
  {
    MutexLock lock(control_mutex_);
    stopping_ = true;
    control_runs_ = false;
  }
  events_.end();
  const Millis drain_timeout = config()->runtime.drain_timeout;
  const Millis quarter = drain_timeout / 4;
  const Monotonic ended = system_clock().now() + drain_timeout;
  // Draining leaves time for both graces, each at most a quarter of the whole.
  const Monotonic quiet_by = ended - std::min(trigger::kDisconnectGrace, quarter);
  const Monotonic drained = quiet_by - std::min(trigger::kServiceGrace, quarter);
  log_.info("runtime.stopping", {}, "taking nothing more; up to {} for what is in flight",
            format_duration(drain_timeout));
  // A call that hangs has the control thread. It is left alone soon, for all others need the time.
  patience_->end_by(system_clock().now() + std::min(trigger::kServiceGrace, quarter));
  reloader_.cancel();
  control_thread_.request_stop();
  if (control_thread_.joinable()) control_thread_.join();
  control_.run_due();  // somebody may wait for what was posted last
  watcher_.reset();    // it was the control thread's
  plugins_.keep_trials();
  patience_->end_by(quiet_by);
  tell_endings_left();
  for (const auto& trigger : triggers_) trigger->stop_receiving();
  drain(triggers_, drained);
  (void)writer_->flush(quiet_by);
  close_all(
      triggers_, [](const TriggerPtr& trigger, auto done) { trigger->close(done); }, quiet_by);
  const bool quiet = finish(triggers_, quiet_by).empty() && stuck_.empty();
  dispatch::Dispatcher::Stats total;
  for (const auto& trigger : triggers_) {
    const dispatch::Dispatcher::Stats stats = trigger->stats();
    total.received += stats.received;
    total.ok += stats.ok;
  }
  close_all(
      aliases_, [](const AliasPtr& alias, auto done) { alias->connection()->close(done); }, ended);
  for (std::jthread* thread : {&rotation_thread_, &supervisor_thread_, &timer_thread_}) {
    thread->request_stop();
    if (thread->joinable()) thread->join();
  }
  log_.info("runtime.stopped", {}, "{} message{} received, {} handled", total.received,
            total.received == 1 ? "" : "s", total.ok);
  return quiet;
}

}  // namespace triggerd::control
