#include "trigger/runtime.hpp"

#include <pthread.h>

#include <algorithm>
#include <future>
#include <random>

#include "base/units.hpp"
#include "config/topic_filter.hpp"

namespace triggerd::trigger {
namespace {

// Of drain_timeout, kept for calls that are under way when draining ends, and for saying goodbye to
// the servers; each at most a quarter.
constexpr Millis kLastCalls{1'000};
constexpr Millis kGoodbye{2'000};

std::string draw_client_id() {
  std::random_device entropy;
  return fmt::format("triggerd-{:08x}{:08x}", entropy(), entropy());
}

}  // namespace

// The alias's own connection: carries the last will and what services publish, subscribes to
// nothing.
class AliasConnection final : private mqtt::ConnectionListener {
 public:
  AliasConnection(std::function<void()> changed) : changed_(std::move(changed)) {}

  Result<> prepare(const mqtt::ConnectionServices& services, mqtt::ConnectionOptions options) {
    auto made = mqtt::Connection::make(services, std::move(options), *this);
    if (!made) return tl::make_unexpected(made.error());
    connection_ = std::move(*made);
    return {};
  }
  const std::shared_ptr<mqtt::Connection>& connection() const { return connection_; }
  bool up() const { return up_; }

 private:
  void on_message(mqtt::Message) override {}
  void on_status(const mqtt::ConnectionStatus& status) override {
    if (up_.exchange(status.running()) != status.running()) changed_();
  }

  const std::function<void()> changed_;
  std::atomic<bool> up_{false};
  std::shared_ptr<mqtt::Connection> connection_;
};

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
    if (auto done = inbox_.forget_session(client_id); !done) report(client_id, done.error());
  }

 private:
  void report(const std::string& client_id, const Error& error) {
    log_.error("inbox.error", {{"client_id", client_id}}, "{}", error.message);
  }

  inbox::Inbox& inbox_;
  Log& log_;
};

Runtime::Runtime(const config::Config& config, std::filesystem::path state_dir, Log& log,
                 std::filesystem::path probe_program)
    : config_(config),
      state_dir_(std::move(state_dir)),
      log_(log),
      supervisor_(std::make_shared<EventLoop>(system_clock())),
      timer_(system_clock()),
      control_(system_clock()),
      library_(log),
      resolver_(mqtt::make_system_resolver()),
      plugins_(config, state_dir_ / "plugins", log),
      package_failures_(config),
      reloader_(plugins_, triggers_, control_,
                {.probe_program = std::move(probe_program),
                 .drain_timeout = config.runtime.drain_timeout},
                log),
      rotation_loop_(system_clock()) {}

// What the writer still holds lives in memory of the triggers.
Runtime::~Runtime() {
  writer_.reset();
}

// ---- Making ----

tl::expected<void, Runtime::Problem> Runtime::prepare() {
  auto certificates = mqtt::tls::Stores::load(config_);
  if (!certificates) return tl::make_unexpected(std::move(certificates.error()));
  certificates_ = *std::move(certificates);
  // Copies that a runtime which was killed has left behind; nobody else uses this folder.
  std::error_code ignored;
  std::filesystem::remove_all(state_dir_ / "plugins", ignored);
  auto inbox = inbox::Inbox::open(
      state_dir_ / "inbox.db",
      {.vfs = {}, .set_aside = [this](const std::filesystem::path& aside, const std::string& why) {
         log_.error("inbox.damaged", {}, "{}; it is kept as {}, and a new one begins", why,
                    aside.string());
       }});
  if (!inbox) return tl::make_unexpected(inbox.error());
  inbox_ = std::move(*inbox);
  writer_ = std::make_unique<inbox::Writer>(
      *inbox_,
      inbox::Writer::Options{.sync_to_disk = config_.inbox.sync_to_disk,
                             .max_size = config_.inbox.max_size},
      [this](const std::optional<std::string>& reason) {
        if (reason) {
          log_.error("inbox.trouble", {}, "{}; receiving pauses until it is over", *reason);
        } else {
          log_.info("inbox.recovered", {}, "the inbox can be written again");
        }
        MutexLock lock(trouble_mutex_);
        inbox_trouble_ = reason;
        if (!told_of_trouble_) return;  // start() tells them
        for (const auto& trigger : triggers_) trigger->inbox_trouble(reason);
      });
  sessions_ = std::make_unique<InboxSessions>(*inbox_, log_);
  connections_ = std::make_unique<mqtt::ConnectionServices>(
      mqtt::ConnectionServices{.supervisor = supervisor_,
                               .resolver = *resolver_,
                               .make_client = library_.factory(),
                               .sessions = *sessions_,
                               .random = system_random(),
                               .log = log_});
  for (const config::Alias& alias : config_.aliases) {
    if (!alias.enabled) continue;
    auto client_id = client_id_of(alias);
    if (!client_id) return tl::make_unexpected(client_id.error());
    client_ids_[alias.name] = *client_id;
    mqtt::ConnectionOptions options = options_of(alias, *client_id);
    options.last_will = alias.last_will;
    auto connection = std::make_unique<AliasConnection>([this] { report_readiness(); });
    if (auto made = connection->prepare(*connections_, std::move(options)); !made) {
      return tl::make_unexpected(made.error());
    }
    publisher_.add(alias.name, connection->connection());
    aliases_.push_back(std::move(connection));
  }
  if (auto diagnostics = prepare_triggers(); !diagnostics.empty()) {
    return tl::make_unexpected(std::move(diagnostics));
  }
  leave_out_broken_packages();
  return {};
}

mqtt::ConnectionOptions Runtime::options_of(const config::Alias& alias,
                                            std::string client_id) const {
  mqtt::ConnectionOptions options;
  options.alias = alias.name;
  options.client_id = std::move(client_id);
  options.servers = alias.servers;
  options.protocol = alias.protocol;
  options.session_expiry = alias.session_expiry;
  options.receive_maximum = alias.receive_maximum;
  options.connection_timeout = alias.connection_timeout;
  options.keep_alive = alias.keep_alive;
  options.reconnect = alias.reconnect;
  options.max_packet_size = alias.max_packet_size;
  options.user_name = alias.user_name;
  options.password = alias.password;
  options.tls = certificates_.of(alias.name);
  return options;
}

Result<std::string> Runtime::client_id_of(const config::Alias& alias) {
  if (!alias.client_id.empty()) return alias.client_id;
  return inbox_->client_id(alias.name, draw_client_id());
}

std::vector<config::Diagnostic> Runtime::prepare_triggers() {
  std::vector<config::Diagnostic> diagnostics;
  const TriggerServices services{.connections = *connections_,
                                 .timer = timer_,
                                 .inbox = *inbox_,
                                 .writer = *writer_,
                                 .publisher = publisher_,
                                 .ids = ids_,
                                 .log = log_,
                                 .running_changed = [this] { report_readiness(); }};
  const auto found = [&](const config::Trigger& trigger, config::Diagnostic diagnostic) {
    if (trigger.package.empty()) {
      diagnostics.push_back(std::move(diagnostic));
    } else {
      package_failures_.add(trigger.package, std::move(diagnostic));
    }
  };
  for (const config::Trigger& trigger : config_.triggers) {
    if (!trigger.enabled) {
      log_.info("trigger.disabled", {{"trigger", trigger.name}}, "disabled by {}",
                is_of_disabled_package(config_, trigger) ? "its package" : "the configuration");
      continue;
    }
    const config::Alias* alias = config_.find_alias(trigger.alias);
    if (alias == nullptr || !alias->enabled) {
      log_.warn("trigger.not_running", {{"trigger", trigger.name}, {"alias", trigger.alias}},
                "its alias is disabled");
      continue;
    }
    mqtt::ConnectionOptions options =
        options_of(*alias, client_ids_[alias->name] + "." + trigger.name);
    options.trigger = trigger.name;
    options.clean_session = alias->clean_session;
    for (const config::Topic& topic : trigger.topics) {
      options.topics.push_back(topic);
      options.topics.back().filter = config::shared_filter(trigger.shared_group, topic.filter);
    }
    auto made = std::make_unique<Trigger>(trigger, services);
    auto generation = plugins_.load(trigger.plugin, trigger.package);
    std::shared_ptr<plugin::Generation> monitor;
    if (!trigger.monitor_plugin.empty()) {
      auto loaded = plugins_.load(trigger.monitor_plugin, trigger.package);
      if (!loaded) {
        found(trigger, monitor_diagnostic(trigger, loaded.error()));
        continue;
      }
      monitor = *loaded;
    }
    Result<> prepared;
    if (generation) {
      prepared = made->prepare(*generation, monitor, std::move(options));
    } else {
      prepared = tl::make_unexpected(generation.error());
    }
    if (!prepared) found(trigger, plugin_diagnostic(trigger, prepared.error()));
    triggers_.push_back(std::move(made));
  }
  return diagnostics;
}

void Runtime::leave_out_broken_packages() {
  package_failures_.spread();
  package_failures_.report(log_);
  std::erase_if(triggers_, [this](const auto& trigger) {
    const bool out = package_failures_.takes_out(trigger->name());
    if (out) {
      log_.warn("trigger.not_running", {{"trigger", trigger->name()}},
                "its package, or that of its alias, is broken");
    }
    return out;
  });
  std::erase_if(aliases_, [this](const auto& alias) {
    const std::string& name = alias->connection()->options().alias;
    const bool out = package_failures_.contains(config_.find_alias(name)->package);
    if (out) publisher_.remove(name);
    return out;
  });
}

// Messages in the inbox of triggers that the configuration does not know.
void Runtime::report_strangers() {
  auto counts = inbox_->message_counts();
  if (!counts) return;
  for (const auto& [name, count] : *counts) {
    if (config_.find_trigger(name) != nullptr) continue;
    log_.warn("inbox.strangers", {{"trigger", name}},
              "the inbox has {} message{} of a trigger that is not configured; they stay there",
              count, count == 1 ? "" : "s");
  }
}

// A trigger that was removed leaves a session at its server, which would pile up messages for
// nobody: a connect with a clean session ends it.
void Runtime::end_removed_sessions() {
  // What is in a package that could not be read is not removed.
  for (const config::Package& package : config_.packages) {
    if (!package.problems.empty()) return;
  }
  auto sessions = inbox_->sessions();
  if (!sessions) return;
  for (const std::string& client_id : *sessions) {
    const bool known = std::any_of(
        config_.triggers.begin(), config_.triggers.end(), [&](const config::Trigger& trigger) {
          const auto alias = client_ids_.find(trigger.alias);
          return alias != client_ids_.end() && client_id == alias->second + "." + trigger.name;
        });
    if (known) continue;
    for (const config::Alias& alias : config_.aliases) {
      const auto own = client_ids_.find(alias.name);
      if (own == client_ids_.end() || !client_id.starts_with(own->second + ".")) continue;
      mqtt::ConnectionOptions options = options_of(alias, client_id);
      options.clean_session = true;
      auto ending = std::make_unique<AliasConnection>([this, client_id, i = endings_.size()] {
        if (!endings_[i]->up()) return;
        log_.info("session.ended", {{"client_id", client_id}},
                  "its trigger is gone: the server has dropped the session");
        (void)inbox_->forget_session(client_id);
        endings_[i]->connection()->close([] {});
      });
      if (ending->prepare(*connections_, std::move(options))) {
        endings_.push_back(std::move(ending));
      }
      break;
    }
  }
  for (const auto& ending : endings_) ending->connection()->open();
}

// ---- Administration ----

// Calls it on the control thread, where everything that changes what a trigger runs takes turns;
// here, where that thread does not run.
template <class Call>
auto Runtime::on_control(Call call) {
  if (!control_thread_.joinable()) return call();
  // Shared, for it may be set a little longer than it is waited for.
  const auto done = std::make_shared<std::promise<decltype(call())>>();
  control_.post([&call, done] { done->set_value(call()); });
  return done->get_future().get();
}

Result<Trigger*> Runtime::find_trigger(std::string_view name) const {
  for (const auto& trigger : triggers_) {
    if (trigger->name() == name) return trigger.get();
  }
  return fail("no trigger \"{}\" runs here", name);
}

Result<> Runtime::disable(std::string_view trigger, const std::string& by,
                          const std::string& reason) {
  auto found = find_trigger(trigger);
  if (!found) return tl::make_unexpected(found.error());
  return on_control([&] { return (*found)->disable(by, reason, config_.runtime.drain_timeout); });
}

Result<> Runtime::enable(std::string_view trigger) {
  auto found = find_trigger(trigger);
  if (!found) return tl::make_unexpected(found.error());
  return on_control([&] { return (*found)->enable(); });
}

Result<> Runtime::replay_dead_letter(std::int64_t number) {
  auto message = inbox_->replay_dead_letter(number);
  if (!message) return tl::make_unexpected(message.error());
  if (!*message) return fail("there is no dead letter {}", number);
  if (auto trigger = find_trigger((*message)->trigger)) (*trigger)->replay(**message);
  return {};
}

Result<Reloader::Report> Runtime::reload_plugin(const std::string& plugin, bool force) {
  return on_control([&] { return reloader_.reload(plugin, force); });
}

Result<> Runtime::watch_plugins() {
  auto watcher = plugin::Watcher::start(
      {.plugins = plugins_.watched()},
      [this](const std::string& plugin) {
        control_.post([this, plugin] { (void)reloader_.reload(plugin, false); });
      },
      log_);
  if (!watcher) return tl::make_unexpected(watcher.error());
  watcher_ = std::move(*watcher);
  return {};
}

// ---- Running ----

Result<> Runtime::start() {
  try {
    supervisor_thread_ =
        std::jthread([this](const std::stop_token& stop) { supervisor_->run(stop); });
    timer_thread_ = std::jthread([this](const std::stop_token& stop) { timer_.run(stop); });
    watch_certificates();
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
  for (const auto& trigger : triggers_) {
    if (auto started = trigger->start(); !started) {
      log_.error("trigger.not_running", {{"trigger", trigger->name()}},
                 "its service did not start: {}", started.error().message);
    }
  }
  if (config_.runtime.hot_reload) {
    if (auto watching = watch_plugins(); !watching) return watching;
  }
  report_strangers();
  end_removed_sessions();
  log_.info("runtime.started", {}, "{} with {} alias{} and {} trigger{}", config_.runtime.name,
            aliases_.size(), aliases_.size() == 1 ? "" : "es", triggers_.size(),
            triggers_.size() == 1 ? "" : "s");
  return {};
}

// On a thread of its own, as files may be slow.
void Runtime::watch_certificates() {
  rotation_.emplace(config_, certificates_, system_clock(), log_);
  rotation_->tell_ages();
  if (rotation_->empty()) return;
  const auto look = [this](const auto& again) -> void {
    rotation_loop_.after(mqtt::tls::Rotation::kInterval, [this, again] {
      rotation_->look();
      again(again);
    });
  };
  look(look);
  rotation_thread_ =
      std::jthread([this](const std::stop_token& stop) { rotation_loop_.run(stop); });
}

void Runtime::beat(Millis interval, const std::function<void()>& tell) {
  timer_.after(interval, [this, interval, tell] {
    supervisor_->post([this, interval, tell] {
      tell();
      beat(interval, tell);
    });
  });
}

// [supervisor]
void Runtime::report_readiness() {
  if (stopping_) return;
  const bool ready = !package_failures_.any() &&
                     std::all_of(aliases_.begin(), aliases_.end(),
                                 [](const auto& alias) { return alias->up(); }) &&
                     std::all_of(triggers_.begin(), triggers_.end(),
                                 [](const auto& trigger) { return trigger->running(); });
  if (ready && !ready_) {
    log_.info("runtime.ready", {}, "every alias is connected and every trigger is running");
  } else if (!ready && ready_) {
    log_.warn("runtime.not_ready", {}, "not every alias is connected and every trigger running");
  }
  ready_ = ready;
}

// ---- Stopping ----

// Calls close(element, done) for each, and waits until every `done` was called, at most to the
// deadline.
template <class Each, class Close>
void Runtime::close_all(const Each& each, Close close, Monotonic deadline) {
  struct Count {
    Mutex mutex;
    CondVar changed;
    std::size_t open TRIGGERD_GUARDED_BY(mutex) = 0;
  };
  const auto count = std::make_shared<Count>();  // a late `done` finds it, whenever it comes
  {
    MutexLock lock(count->mutex);
    count->open = each.size();
  }
  for (const auto& element : each) {
    close(*element, [count] {
      MutexLock lock(count->mutex);
      --count->open;
      count->changed.notify_all();
    });
  }
  MutexLock lock(count->mutex);
  while (count->open > 0 &&
         count->changed.wait_until(count->mutex, deadline) == std::cv_status::no_timeout) {
  }
}

bool Runtime::stop() {
  stopping_ = true;
  const Millis quarter = config_.runtime.drain_timeout / 4;
  const Monotonic ended = system_clock().now() + config_.runtime.drain_timeout;
  const Monotonic quiet_by = ended - std::min(kGoodbye, quarter);
  const Monotonic drained = quiet_by - std::min(kLastCalls, quarter);
  log_.info("runtime.stopping", {}, "taking nothing more; up to {} for what is in flight",
            format_duration(config_.runtime.drain_timeout));
  watcher_.reset();
  reloader_.cancel();
  control_thread_.request_stop();
  if (control_thread_.joinable()) control_thread_.join();
  control_.run_due();  // somebody may wait for what was posted last
  for (const auto& trigger : triggers_) trigger->stop_receiving();
  for (const auto& trigger : triggers_) trigger->drain(drained);
  (void)writer_->flush(quiet_by);
  close_all(
      triggers_, [](Trigger& trigger, auto done) { trigger.close(done); }, quiet_by);
  bool quiet = true;
  Dispatcher::Stats total;
  for (const auto& trigger : triggers_) {
    quiet = trigger->finish(quiet_by) && quiet;
    const Dispatcher::Stats stats = trigger->stats();
    total.received += stats.received;
    total.ok += stats.ok;
  }
  close_all(
      aliases_, [](AliasConnection& alias, auto done) { alias.connection()->close(done); }, ended);
  for (std::jthread* thread : {&rotation_thread_, &supervisor_thread_, &timer_thread_}) {
    thread->request_stop();
    if (thread->joinable()) thread->join();
  }
  log_.info("runtime.stopped", {}, "{} message{} received, {} handled", total.received,
            total.received == 1 ? "" : "s", total.ok);
  return quiet;
}

}  // namespace triggerd::trigger
