#include "control/runtime.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/units.hpp"
#include "control/members/client_ids.hpp"
#include "control/members/member_factory.hpp"
#include "control/members/session_memory.hpp"
#include "control/members/session_terminator.hpp"
#include "control/members/shutdown_sequence.hpp"
#include "control/members/unwanted_keys.hpp"
#include "control/reload/alias_states.hpp"
#include "control/services/services.hpp"
#include "dispatch/deaths.hpp"
#include "inbox/writer.hpp"
#include "mqtt/session/resolver.hpp"
#include "outbox/outboxes.hpp"
#include "trigger/grace.hpp"
#include "trigger/publisher.hpp"

namespace triggerd::control {
namespace {

constexpr Millis kTrialsKept{1'000};  // after the start
// How often it is looked for keys that are forgotten and still have rows; and the next ones.
constexpr Millis kKeysLooked{10'000};
constexpr Millis kMoreKeys{50};

}  // namespace

// In the order in which they need each other.
struct Runtime::Parts {
  Parts(Runtime& runtime, std::unique_ptr<inbox::Inbox> opened);

  const std::unique_ptr<inbox::Inbox> inbox;
  std::unique_ptr<inbox::Writer> writer;
  InboxSessions session_memory;
  const std::unique_ptr<mqtt::Resolver> resolver;
  const std::unique_ptr<mqtt::PasswordCommands> password_commands;
  const mqtt::ConnectionServices connections;
  outbox::Outboxes outboxes;
  trigger::Publisher publisher;
  dispatch::MessageIds ids;
  ClientIds client_ids;
  MemberFactory factory;
  ShutdownSequence shutdown;
  SessionTerminator sessions;
  ConfigReloader reloader;
  Services services;
};

namespace {

std::unique_ptr<inbox::Writer> make_writer(inbox::Inbox& inbox, const config::InboxSection& section,
                                           InboxHealth& health, Log& log) {
  return std::make_unique<inbox::Writer>(
      inbox,
      inbox::Writer::Options{.sync_to_disk = section.sync_to_disk,
                             .max_size = section.max_size,
                             .mended =
                                 [&log](const std::string& what) {
                                   log.warn("inbox.written_again", {},
                                            "{}; the inbox was restored from the copy that "
                                            "is still open",
                                            what);
                                 }},
      [&health](const std::optional<std::string>& reason) { health.note(reason); });
}

}  // namespace

Runtime::Parts::Parts(Runtime& runtime, std::unique_ptr<inbox::Inbox> opened)
    : inbox(std::move(opened)),
      writer(make_writer(*inbox, runtime.registry_.config()->inbox, runtime.inbox_health_,
                         runtime.log_)),
      session_memory(inbox->sessions(), runtime.log_),
      resolver(mqtt::make_system_resolver(system_clock())),
      password_commands(mqtt::make_password_commands(system_clock())),
      connections({.supervisor = runtime.supervisor_,
                   .resolver = *resolver,
                   .password_commands = *password_commands,
                   .make_client = runtime.library_.factory(),
                   .sessions = session_memory,
                   .random = system_random(),
                   .log = runtime.log_}),
      outboxes({.stored = inbox->outgoing(),
                .writer = *writer,
                .supervisor = runtime.supervisor_,
                .log = runtime.log_}),
      client_ids(inbox->sessions()),
      factory({.registry = runtime.registry_,
               .control = runtime.control_,
               .plugins = runtime.plugins_,
               .certificates = runtime.certificates_,
               .client_ids = client_ids,
               .readiness = runtime.readiness_,
               .connections = connections,
               .timer = runtime.timer_,
               .inbox = *inbox,
               .writer = *writer,
               .publisher = publisher,
               .outboxes = outboxes,
               .ids = ids,
               .log = runtime.log_,
               .events = runtime.events_,
               .deaths = runtime.options_.deaths}),
      shutdown({.registry = runtime.registry_,
                .control = runtime.control_,
                .reloader = runtime.plugin_reloader_,
                .writer = *writer,
                .publisher = publisher,
                .outboxes = outboxes,
                .supervisor = *runtime.supervisor_,
                .timer = runtime.timer_,
                .clock = system_clock()}),
      sessions({.registry = runtime.registry_,
                .stored = inbox->sessions(),
                .client_ids = client_ids,
                .certificates = runtime.certificates_,
                .connections = connections,
                .supervisor = *runtime.supervisor_,
                .clock = system_clock(),
                .log = runtime.log_}),
      reloader({.registry = runtime.registry_,
                .control = runtime.control_,
                .stored_states = inbox->triggers(),
                .handled_keys = inbox->handled_keys(),
                .plugins = runtime.plugins_,
                .plugin_reloader = runtime.plugin_reloader_,
                .certificates = runtime.certificates_,
                .client_ids = client_ids,
                .factory = factory,
                .shutdown = shutdown,
                .sessions = sessions,
                .inbox_health = runtime.inbox_health_,
                .publisher = publisher,
                .readiness = runtime.readiness_,
                .supervisor = *runtime.supervisor_,
                .log = runtime.log_},
               runtime.registry_.config(), runtime.options_.load, runtime.options_.config_file),
      services{.status = {{.registry = runtime.registry_,
                           .readiness = runtime.readiness_,
                           .liveness = runtime.liveness_,
                           .reloader = reloader,
                           .plugin_board = runtime.plugin_board_,
                           .plugins = runtime.plugins_,
                           .inbox_health = runtime.inbox_health_,
                           .inbox = *inbox,
                           .writer = *writer,
                           .publisher = publisher,
                           .outboxes = outboxes,
                           .clock = system_clock()},
                          {.version = runtime.options_.version,
                           .config_file = runtime.options_.config_file.string(),
                           .started = runtime.started_at_}},
               .states = States({.control = runtime.control_,
                                 .registry = runtime.registry_,
                                 .status = services.status,
                                 .reloader = reloader,
                                 .stored = inbox->triggers(),
                                 .log = runtime.log_}),
               .definitions = Definitions({.control = runtime.control_,
                                           .registry = runtime.registry_,
                                           .reloader = reloader,
                                           .log = runtime.log_}),
               .test_runs = TestRunner({.control = runtime.control_,
                                        .registry = runtime.registry_,
                                        .plugins = runtime.plugins_,
                                        .reloader = reloader,
                                        .connections = connections,
                                        .supervisor = *runtime.supervisor_,
                                        .publisher = publisher,
                                        .clock = system_clock(),
                                        .log = runtime.log_}),
               .packages = {{.control = runtime.control_,
                             .registry = runtime.registry_,
                             .plugins = runtime.plugins_,
                             .plugin_reloader = runtime.plugin_reloader_,
                             .reloader = reloader,
                             .sessions = sessions,
                             .log = runtime.log_},
                            runtime.options_.packages},
               .dead_letters = DeadLetters({.control = runtime.control_,
                                            .registry = runtime.registry_,
                                            .stored = inbox->dead_letters(),
                                            .log = runtime.log_}),
               .outboxes = Outboxes({.registry = runtime.registry_,
                                     .outboxes = outboxes,
                                     .stored = inbox->outgoing(),
                                     .clock = system_clock(),
                                     .log = runtime.log_})} {}

Runtime::Runtime(config::Config config, std::filesystem::path state_dir, Log& log,
                 RuntimeOptions options)
    : state_dir_(std::move(state_dir)),
      options_(std::move(options)),
      patience_(std::make_shared<plugin::Patience>()),
      started_at_(system_clock().wall()),
      events_(system_clock()),
      log_(log, events_),
      registry_(std::make_shared<const config::Config>(std::move(config))),
      supervisor_(std::make_shared<EventLoop>(system_clock())),
      timer_(system_clock()),
      control_(system_clock()),
      library_(log_, system_clock()),
      plugins_(registry_.config(), state_dir_ / "plugins", log_, options_.probe_program),
      plugin_users_(registry_),
      plugin_reloader_(plugins_, plugin_users_, control_,
                       {.probe_program = options_.probe_program,
                        .drain_timeout = drain_timeout(),
                        .probation = options_.probation},
                       log_),
      plugin_board_(plugins_, plugin_users_, plugin_reloader_, system_clock()),
      inbox_health_(registry_, log_),
      readiness_(registry_, inbox_health_, control_, log_),
      liveness_(*supervisor_, timer_, registry_),
      certificates_(system_clock(), log_) {
  plugins_.bound_calls(patience_);
  control_.after_each([this] { plugin_board_.refresh(); });
}

// What the writer still holds lives in memory of the triggers, and these use everything else.
Runtime::~Runtime() {
  if (!parts_) return;
  parts_->writer.reset();
  registry_.change([](Running& running) {
    running.aliases.clear();
    running.triggers.clear();
  });
}

management::Management Runtime::management() {
  return parts_->services.with(events_);
}

inbox::Inbox& Runtime::inbox() {
  return *parts_->inbox;
}

// ---- Making ----

tl::expected<void, Runtime::Problem> Runtime::prepare() {
  auto certificates = mqtt::tls::Stores::load(*registry_.config());
  if (!certificates) return tl::make_unexpected(std::move(certificates.error()));
  (void)certificates_.use(*std::move(certificates));
  // Copies that a runtime which was killed has left behind; nobody else uses this folder.
  std::error_code ignored;
  std::filesystem::remove_all(state_dir_ / "plugins", ignored);
  plugins_.remember_trials(state_dir_ / "trials",
                           options_.deaths == nullptr || !options_.deaths->last_run_crashed());
  if (auto opened = open_inbox(); !opened) return tl::make_unexpected(opened.error());
  if (auto taken = take_alias_states(); !taken) return tl::make_unexpected(taken.error());
  if (auto made = make_aliases(); !made) return tl::make_unexpected(made.error());
  if (auto made = make_triggers(); !made) return made;
  leave_out_broken_packages();
  const auto running = registry_.now();
  for (const TriggerPtr& trigger : running->triggers) {
    if (auto made = parts_->factory.connect(*trigger); !made) {
      return tl::make_unexpected(made.error());
    }
  }
  plugin_board_.refresh();
  return {};
}

Result<> Runtime::open_inbox() {
  auto inbox = inbox::Inbox::open(
      state_dir_ / "inbox.db",
      {.vfs = {}, .set_aside = [this](const std::filesystem::path& aside, const std::string& why) {
         log_.error("inbox.damaged", {},
                    "{}; the damaged file is kept as {}, and the inbox begins empty", why,
                    aside.string());
       }});
  if (!inbox) return tl::make_unexpected(inbox.error());
  parts_ = std::make_unique<Parts>(*this, *std::move(inbox));
  const std::uint64_t max_size = registry_.config()->inbox.max_size;
  if (const std::uint64_t limit = parts_->writer->limit(); limit < max_size) {
    log_.warn(
        "inbox.small_volume", {},
        "max_size is {} bytes, but the volume of {} has room for only {}: receiving pauses when "
        "they are used up",
        max_size, state_dir_.string(), limit);
  }
  return {};
}

Result<> Runtime::take_alias_states() {
  config::Config effective = *registry_.config();
  auto states = overlay_alias_states(parts_->inbox->triggers(), effective);
  if (!states) return tl::make_unexpected(states.error());
  const auto all = std::make_shared<const config::Config>(std::move(effective));
  plugins_.use(all);
  registry_.change([&](Running& running) {
    running.config = all;
    running.alias_states = *std::move(states);
    running.failures = PackageFailures(all);
    for (const auto& [package, problems] : certificates_.stores().package_problems()) {
      for (const config::Diagnostic& problem : problems) running.failures.add(package, problem);
    }
  });
  return {};
}

Result<> Runtime::make_aliases() {
  const ConfigPtr all = registry_.config();
  std::vector<AliasPtr> made;
  for (const config::Alias& alias : all->aliases) {
    if (!alias.enabled) continue;
    auto one = parts_->factory.make_alias(alias);
    if (!one) return tl::make_unexpected(one.error());
    parts_->publisher.add(alias.name, {*one, (*one)->connection().get()}, (*one)->outbox());
    made.push_back(*std::move(one));
  }
  registry_.change(
      [&](Running& running) { running.aliases = MemberList<AliasConnection>(std::move(made)); });
  return {};
}

void Runtime::hurry() {
  patience_->end_by(system_clock().now() + drain_timeout());
}

// What a file says wrong stays wrong at the next start; what the machine lacks may be there then.
tl::expected<void, Runtime::Problem> Runtime::make_triggers() {
  Diagnostics diagnostics;
  std::vector<std::string> lacks;
  std::vector<TriggerPtr> triggers;
  const ConfigPtr all = registry_.config();
  PackageFailures failures = registry_.now()->failures;
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
      lacks.emplace_back("the runtime is stopping");
      break;
    }
    auto made = parts_->factory.make_trigger(trigger);
    if (made) {
      triggers.push_back(*std::move(made));
    } else if (!trigger.package.empty()) {
      failures.add(trigger.package, std::move(made.error().why));
    } else if (made.error().may_pass) {
      lacks.push_back(std::move(made.error().why.message));
    } else {
      diagnostics.push_back(std::move(made.error().why));
    }
  }
  if (!diagnostics.empty()) return tl::make_unexpected(std::move(diagnostics));
  if (!lacks.empty()) return tl::make_unexpected(Error{fmt::format("{}", fmt::join(lacks, "; "))});
  registry_.change([&](Running& running) {
    running.triggers = MemberList<trigger::Trigger>(std::move(triggers));
    running.failures = std::move(failures);
  });
  return {};
}

void Runtime::leave_out_broken_packages() {
  registry_.change([&](Running& running) {
    const config::Config& all = *running.config;
    running.failures.spread();
    running.failures.report(log_);
    running.note_broken_packages();
    for (const auto& [trigger, why] : running.not_made) {
      log_.warn("trigger.not_running", {{"trigger", trigger}}, "{}", why);
    }
    running.triggers.remove_if(
        [&](const TriggerPtr& made) { return running.failures.takes_out(made->config()); });
    running.aliases.remove_if([&](const AliasPtr& alias) {
      const bool out = running.failures.contains(all.find_alias(alias->name())->package);
      if (out) parts_->publisher.remove(alias->name());
      return out;
    });
  });
}

// Messages in the inbox of triggers that the configuration does not know.
void Runtime::report_orphaned() {
  const auto counts = parts_->inbox->messages().counts();
  if (!counts) return;
  const ConfigPtr all = registry_.config();
  for (const auto& [name, count] : *counts) {
    if (all->find_trigger(name) != nullptr) continue;
    log_.warn("inbox.orphaned", {{"trigger", name}},
              "the inbox has {} message{} for a trigger that is not configured, and keeps {} until "
              "the trigger is",
              count, count == 1 ? "" : "s", count == 1 ? "it" : "them");
  }
}

// Messages in outboxes of aliases that have none any more.
void Runtime::report_orphaned_outboxes() {
  const auto counts = parts_->inbox->outgoing().counts();
  if (!counts) return;
  const ConfigPtr all = registry_.config();
  for (const auto& [name, count] : *counts) {
    const config::Alias* const alias = all->find_alias(name);
    if (alias != nullptr && alias->outbox) continue;
    log_.warn(
        "outbox.orphaned", {{"alias", name}},
        "the outbox has {} message{} of an alias that {}, and keeps {} until it has an outbox "
        "again",
        count, count == 1 ? "" : "s",
        alias == nullptr ? "is not configured" : "has no outbox any more",
        count == 1 ? "it" : "them");
  }
}

// ---- Running ----

void Runtime::start_threads() {
  supervisor_thread_ =
      std::jthread([this](const std::stop_token& stop) { supervisor_->run(stop); });
  timer_thread_ = std::jthread([this](const std::stop_token& stop) { timer_.run(stop); });
  certificates_.follow(registry_.config());
  certificates_.start();
  liveness_.begin();
  control_.start();
}

Result<> Runtime::start() {
  try {
    start_threads();
  } catch (const std::system_error& error) {
    return fail("cannot start a thread: {}", error.what());
  }
  inbox_health_.begin();
  {
    const auto running = registry_.now();
    for (const AliasPtr& alias : running->aliases) alias->open();
    if (running->config->runtime.hot_reload) {
      if (auto watching = plugin_reloader_.watch(); !watching) return watching;
      parts_->reloader.watch_files();
    }
  }
  report_orphaned();
  report_orphaned_outboxes();
  // Before whatever comes: one that hangs holds up changes, and not the end.
  control_.open([this] { start_services(); });
  return {};
}

// [control]
void Runtime::start_services() {
  const auto running = registry_.now();
  // All of them first: a start may take long, and hold up those behind it.
  for (const TriggerPtr& trigger : running->triggers) trigger->begin_receiving();
  parts_->sessions.end_unwanted(nullptr, certificates_.stores());
  forget_unwanted_keys(parts_->inbox->handled_keys(), *running->config, log_);
  for (const TriggerPtr& trigger : running->triggers) {
    if (control_.stopping()) return;
    (void)trigger->start_again();
  }
  const std::size_t aliases = running->aliases.size();
  const std::size_t triggers = running->triggers.size();
  log_.info("runtime.started", {}, "{} with {} alias{} and {} trigger{}",
            running->config->runtime.name, aliases, aliases == 1 ? "" : "es", triggers,
            triggers == 1 ? "" : "s");
  // While it connects it has better things to do.
  control_.after(kTrialsKept, [this] { plugins_.keep_trials(); });
  control_.after(kKeysLooked, [this] { remove_forgotten_keys(); });
}

// [control]
void Runtime::remove_forgotten_keys() {
  if (control_.stopping()) return;
  const auto more = parts_->inbox->handled_keys().remove_forgotten(system_clock().now());
  if (!more) {
    log_.warn("inbox.error", {}, "cannot remove keys of handled messages: {}",
              more.error().message);
  }
  control_.after(more.value_or(false) ? kMoreKeys : kKeysLooked,
                 [this] { remove_forgotten_keys(); });
}

void Runtime::request_reload(const std::string& by, std::function<void()> done) {
  (void)control_.post([this, by, done = std::move(done)] {
    if (control_.stopping()) return;
    (void)parts_->reloader.reload(by);
    if (done && !control_.stopping()) done();
  });
}

// ---- Stopping ----

bool Runtime::stop() {
  control_.begin_stop();
  events_.end();
  const Millis all = drain_timeout();
  const Millis quarter = all / 4;
  const Monotonic ended = system_clock().now() + all;
  // Draining leaves time for both graces, each at most a quarter of the whole.
  const Monotonic quiet = ended - std::min(trigger::kDisconnectGrace, quarter);
  const Monotonic drained = quiet - std::min(trigger::kServiceGrace, quarter);
  log_.info("runtime.stopping", {}, "receiving stops; messages in flight have up to {} to finish",
            format_duration(all));
  // A call that hangs has the control thread. It is left alone soon, for all others need the time.
  patience_->end_by(system_clock().now() + std::min(trigger::kServiceGrace, quarter));
  plugin_reloader_.cancel();
  control_.join();
  plugin_reloader_.stop_watching();
  plugins_.keep_trials();
  patience_->end_by(quiet);
  parts_->sessions.report_unfinished();
  const bool clean =
      parts_->shutdown.stop_all({.drained = drained, .quiet = quiet, .ended = ended});
  certificates_.stop();
  for (std::jthread* thread : {&supervisor_thread_, &timer_thread_}) {
    thread->request_stop();
    if (thread->joinable()) thread->join();
  }
  std::uint64_t received = 0;
  std::uint64_t handled = 0;
  const auto running = registry_.now();
  for (const TriggerPtr& trigger : running->triggers) {
    const dispatch::Dispatcher::Stats stats = trigger->stats();
    received += stats.received;
    handled += stats.ok;
  }
  log_.info("runtime.stopped", {}, "{} message{} received, {} handled", received,
            received == 1 ? "" : "s", handled);
  return clean;
}

}  // namespace triggerd::control
