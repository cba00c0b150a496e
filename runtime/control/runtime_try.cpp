// Runtime: an alias or a trigger is tried, and nothing that runs is touched.
#include <random>

#include "config/managed.hpp"
#include "config/parse_toml.hpp"
#include "config/write_tree.hpp"
#include "control/runtime.hpp"
#include "dispatch/message_properties.hpp"

namespace triggerd::control {
namespace {

constexpr Millis kJoin{1'000};

double seconds_since(Monotonic began) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

// Says once how a first attempt to connect ended.
class Attempt final : public mqtt::ConnectionListener {
 public:
  void on_message(mqtt::Message&&) override {}
  void on_status(const mqtt::ConnectionStatus& status) override {
    using State = mqtt::ConnectionStatus::State;
    if (told_ || (status.state != State::up && status.state != State::waiting)) return;
    told_ = true;
    ended_.set_value({.ok = status.state == State::up,
                      .reason = status.state == State::up ? "" : status.reason,
                      .server = status.state == State::up ? status.server : "",
                      .seconds = 0});
  }
  std::future<management::AliasTest> ended() { return ended_.get_future(); }

 private:
  bool told_ = false;  // [supervisor]
  std::promise<management::AliasTest> ended_;
};

// Collects what a service logs.
class LogLines final : public Log {
 public:
  bool enabled(LogLevel) const override { return true; }
  void write(LogLevel level, std::string_view, LogFields, std::string_view text) override {
    MutexLock lock(mutex_);
    if (lines_.size() < kMax) {
      lines_.push_back({std::string(to_string(level)), std::string(text)});
    }
  }
  std::vector<management::TriggerTest::LogLine> take() {
    MutexLock lock(mutex_);
    return std::exchange(lines_, {});
  }

 private:
  static constexpr std::size_t kMax = 1'000;
  Mutex mutex_;
  std::vector<management::TriggerTest::LogLine> lines_ TRIGGERD_GUARDED_BY(mutex_);
};

// One message for one instance, outside of every queue.
class Trial final : public plugin::WorkSource, public plugin::InstanceHost {
 public:
  Trial(std::string trigger, std::string alias, management::TriggerTestMessage message,
        Millis timeout)
      : trigger_(std::move(trigger)), alias_(std::move(alias)), message_(std::move(message)) {
    for (const auto& [name, value] : message_.user_properties) {
      trigger_property property{};
      property.id = mqtt::property::kUser;
      property.name = {name.data(), name.size()};
      property.value = {reinterpret_cast<const std::uint8_t*>(value.data()), value.size()};
      properties_.push_back(property);
    }
    view_.struct_size = sizeof view_;
    view_.flags = message_.retained ? TRIGGER_MESSAGE_RETAIN : 0U;
    view_.token = 1;
    view_.id = {id_.data(), id_.size()};
    view_.topic = {message_.topic.data(), message_.topic.size()};
    view_.trigger = {trigger_.data(), trigger_.size()};
    view_.payload = {reinterpret_cast<const std::uint8_t*>(message_.payload.data()),
                     message_.payload.size()};
    view_.received_unix_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(
                                 system_clock().wall().time_since_epoch())
                                 .count();
    view_.deadline_mono_ns = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(
            (std::chrono::steady_clock::now() + timeout).time_since_epoch())
            .count());
    view_.properties = properties_.data();
    view_.property_count = properties_.size();
    view_.attempt = 1;
    view_.qos = static_cast<std::uint32_t>(message_.qos);
  }

  // False: no verdict by then.
  bool wait(Monotonic deadline) {
    MutexLock lock(mutex_);
    while (!answer_) {
      if (changed_.wait_until(mutex_, deadline) == std::cv_status::timeout) break;
    }
    return answer_.has_value();
  }
  management::TriggerTest result() {
    MutexLock lock(mutex_);
    management::TriggerTest test;
    test.published = published_;
    if (!answer_) {
      test.verdict = "timeout";
      test.reason = "no verdict in time";
      return test;
    }
    test.reason = answer_->reason;
    test.seconds = seconds_;
    test.verdict = answer_->code == TRIGGER_OK            ? "ok"
                   : answer_->code == TRIGGER_RETRY       ? "retry"
                   : answer_->code == TRIGGER_UNAVAILABLE ? "unavailable"
                   : answer_->code == TRIGGER_REJECT      ? "reject"
                                                          : "invalid";
    test.retry_after_ms = answer_->retry_after_ms;
    if (test.verdict == "invalid") {
      test.reason = fmt::format("the service returned {}, which is no verdict", answer_->code);
    }
    return test;
  }

  // WorkSource
  const trigger_message* take(std::stop_token stop) override {
    const std::stop_callback wake_up(stop, [this] {
      MutexLock lock(mutex_);
      changed_.notify_all();
    });
    MutexLock lock(mutex_);
    if (!std::exchange(taken_, true) && !stop.stop_requested()) {
      began_ = std::chrono::steady_clock::now();
      return &view_;
    }
    while (!stop.stop_requested()) changed_.wait(mutex_);
    return nullptr;
  }
  // The same, for the link of a worker process.
  Taken poll(std::size_t) override {
    MutexLock lock(mutex_);
    if (std::exchange(taken_, true)) return {};
    began_ = std::chrono::steady_clock::now();
    return {.message = &view_, .follows = false};
  }
  void listen(std::function<void()> waker) override {
    if (waker) waker();
  }
  void lost(const Loss& loss) override {
    if (loss.why != Loss::Why::crashed) return;
    (void)end({.code = TRIGGER_RETRY, .retry_after_ms = 0, .reason = loss.reason});
  }
  void answered(const trigger_message&, plugin::Answer answer) override {
    if (answer.code != TRIGGER_PENDING) end(std::move(answer));
  }
  // InstanceHost
  std::int32_t complete(std::uint64_t token, plugin::Answer answer) override {
    return token == view_.token && end(std::move(answer)) ? TRIGGER_OK : TRIGGER_E_STALE;
  }
  std::int32_t extend(std::uint64_t token, std::uint32_t) override {
    return token == view_.token ? TRIGGER_OK : TRIGGER_E_STALE;
  }
  std::int32_t publish(const trigger_publish& request, plugin::PublishDone done) override {
    {
      MutexLock lock(mutex_);
      published_.push_back(
          {.alias =
               request.alias.len == 0 ? alias_ : std::string(request.alias.ptr, request.alias.len),
           .topic = std::string(request.topic.ptr, request.topic.len),
           .payload =
               std::string(reinterpret_cast<const char*>(request.payload.ptr), request.payload.len),
           .qos = static_cast<int>(request.qos),
           .retained = (request.flags & TRIGGER_PUBLISH_RETAIN) != 0});
    }
    if (done) done(TRIGGER_OK, {});
    return TRIGGER_OK;
  }

  LogLines log;
  std::unique_ptr<plugin::Instance> instance;  // [control]

 private:
  bool end(plugin::Answer answer) {
    MutexLock lock(mutex_);
    if (answer_) return false;
    answer_ = std::move(answer);
    seconds_ = seconds_since(began_);
    changed_.notify_all();
    return true;
  }

  const std::string id_ = "test";
  const std::string trigger_;
  const std::string alias_;
  const management::TriggerTestMessage message_;
  std::vector<trigger_property> properties_;
  trigger_message view_{};
  Mutex mutex_;
  CondVar changed_;
  bool taken_ TRIGGERD_GUARDED_BY(mutex_) = false;
  Monotonic began_ TRIGGERD_GUARDED_BY(mutex_){};
  double seconds_ TRIGGERD_GUARDED_BY(mutex_) = 0;
  std::optional<plugin::Answer> answer_ TRIGGERD_GUARDED_BY(mutex_);
  std::vector<management::TriggerTest::Published> published_ TRIGGERD_GUARDED_BY(mutex_);
};

}  // namespace

// ---- An alias ----

management::Outcome<management::AliasTest> Runtime::try_alias(const config::Alias& alias,
                                                              const mqtt::tls::Stores& certificates,
                                                              Millis timeout) {
  if (alias.has_tls() && !certificates.of(alias.name)) {
    const auto broken = certificates.package_problems().find(alias.package);
    if (broken != certificates.package_problems().end()) {
      return tl::make_unexpected(refuse(broken->second).error());
    }
    return tl::make_unexpected(management::AdminError{
        management::AdminError::Kind::conflict,
        fmt::format("package \"{}\" is disabled, and its certificates are not loaded; enable it",
                    alias.package),
        {}});
  }
  std::random_device entropy;
  mqtt::ConnectionOptions options = options_of(
      alias, fmt::format("triggerd-test-{:08x}{:08x}", entropy(), entropy()), certificates);
  options.clean_session = true;
  options.connection_timeout = std::min(options.connection_timeout.value_or(timeout), timeout);
  const auto attempt = std::make_shared<Attempt>();
  auto ended = attempt->ended();
  auto connection = mqtt::Connection::make(*connections_, std::move(options), *attempt);
  if (!connection) {
    return tl::make_unexpected(management::AdminError{
        management::AdminError::Kind::failed, connection.error().message, {}});
  }
  const Monotonic began = std::chrono::steady_clock::now();
  (*connection)->open();
  management::AliasTest test{.ok = false,
                             .reason = fmt::format("no answer within {} ms", timeout.count()),
                             .server = {},
                             .seconds = 0};
  if (ended.wait_for(timeout) == std::future_status::ready) test = ended.get();
  test.seconds = seconds_since(began);
  const auto closed = std::make_shared<std::promise<void>>();
  (*connection)->close([closed] { closed->set_value(); });
  (void)closed->get_future().wait_for(kJoin * 3);
  if (!passes(*supervisor_, std::chrono::steady_clock::now() + kJoin * 3)) {
    // The runtime stops: nobody can say that neither is looked at any more.
    (void)new std::pair(*connection, attempt);
  }
  return test;
}

management::Outcome<management::AliasTest> Runtime::test_alias(std::string_view name,
                                                               Millis timeout) {
  if (stopping_) return tl::make_unexpected(not_running());
  const ConfigPtr all = config();
  const config::Alias* found = all->find_alias(name);
  if (found == nullptr) return tl::make_unexpected(alias(name).error());
  auto certificates = mqtt::tls::Stores::load(*all);
  if (!certificates) return tl::make_unexpected(refuse(certificates.error()).error());
  return try_alias(*found, *certificates, timeout);
}

// Its definition is checked with all others, as if it were to be kept.
management::Outcome<management::AliasTest> Runtime::test_alias(
    const std::string& name, const management::DefinitionText& text, Millis timeout) {
  if (stopping_) return tl::make_unexpected(not_running());
  const ConfigPtr all = config();
  // It makes the runtime connect to whatever it names, as the definition itself would.
  if (!all->admin.manage) return tl::make_unexpected(may_not_manage());
  const management::DefinitionChange change{.verb = management::DefinitionChange::Verb::replace,
                                            .kind = management::DefinitionKind::alias,
                                            .name = name,
                                            .text = text};
  auto managed = config::ManagedFile::read(all->runtime.state_dir / config::kManagedFile);
  if (!managed) {
    return tl::make_unexpected(
        management::AdminError{management::AdminError::Kind::failed, managed.error().message, {}});
  }
  auto table = table_to_keep(change, *all, managed->find(config::Defined::alias, name));
  if (!table) return tl::make_unexpected(table.error());
  managed->put(config::Defined::alias, name, *std::move(table));
  auto loaded = load_again(managed->text());
  if (!loaded) {
    return tl::make_unexpected(
        error_of_definition(refuse(loaded.error()).error(), *managed, change));
  }
  auto certificates = mqtt::tls::Stores::load(*loaded);
  if (!certificates) {
    return tl::make_unexpected(
        error_of_definition(refuse(certificates.error()).error(), *managed, change));
  }
  return try_alias(*loaded->find_alias(name), *certificates, timeout);
}

// ---- A trigger ----

management::Outcome<management::TriggerTest> Runtime::test_trigger(
    std::string_view name, const management::TriggerTestMessage& message, Millis timeout) {
  const ConfigPtr all = config();
  const config::Trigger* found = all->find_trigger(name);
  if (found == nullptr) return tl::make_unexpected(trigger(name).error());
  config::Trigger alone = *found;
  alone.concurrency = 1;
  const auto trial = std::make_shared<Trial>(alone.name, alone.alias, message, timeout);
  const auto made = on_control([&]() -> management::Outcome<> {
    const auto failed = [](const Error& error) {
      return tl::make_unexpected(
          management::AdminError{management::AdminError::Kind::failed, error.message, {}});
    };
    auto generation = plugins_.load(alone.plugin, alone.package);
    if (!generation) return failed(generation.error());
    auto instance =
        (*generation)
            ->create(alone, *trial, &trial->log, fmt::format("{}/{}", ++trials_, alone.name));
    if (!instance) return failed(instance.error());
    if (auto started = (*instance)->start(); !started) return failed(started.error());
    if (auto running = (*instance)->run_workers(*trial, 1); !running) {
      (*instance)->stop();
      return failed(running.error());
    }
    trial->instance = std::move(*instance);
    return {};
  });
  if (!made) return tl::make_unexpected(made.error());
  (void)trial->wait(std::chrono::steady_clock::now() + timeout);
  management::TriggerTest test = trial->result();
  test.log = trial->log.take();
  // Posted, not waited for: a service that does not return takes its time.
  MutexLock lock(control_mutex_);
  if (control_runs_) {
    control_.post([this, trial, name = alone.name] { end_trial(name, trial, trial->instance); });
  } else {
    (void)new std::shared_ptr<Trial>(trial);  // the process ends
  }
  return test;
}

// [control]
void Runtime::end_trial(const std::string& name, const std::shared_ptr<void>& trial,
                        std::unique_ptr<plugin::Instance>& instance) {
  if (instance->join_workers(std::chrono::steady_clock::now() + kJoin)) {
    instance->stop();
    instance.reset();
    return;
  }
  log_.error("trigger.stuck", {{"trigger", name}},
             "in a test of the trigger: a call of the service has not returned; the trigger itself "
             "goes on");
  instance->abandon();
  stuck_trials_.push_back(trial);
}

}  // namespace triggerd::control
