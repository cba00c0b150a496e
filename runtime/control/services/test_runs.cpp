#include "control/services/test_runs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <random>
#include <utility>

#include "base/task_guard.hpp"
#include "config/load.hpp"
#include "config/managed.hpp"
#include "config/order.hpp"
#include "config/tree.hpp"
#include "control/members/member_factory.hpp"
#include "control/running/admin_errors.hpp"
#include "control/services/definition_text.hpp"
#include "control/services/pacing_rules.hpp"
#include "dispatch/message_key.hpp"
#include "mqtt/packet/properties.hpp"

namespace triggerd::control {
namespace {

constexpr Millis kJoin{1'000};

// Says once how a first attempt to connect ended.
class FirstAttempt final : public mqtt::ConnectionListener {
 public:
  void on_message(mqtt::Message&&) override {}
  void on_status(const mqtt::ConnectionStatus& status) override {
    using State = mqtt::ConnectionStatus::State;
    if (reported_ || (status.state != State::up && status.state != State::waiting)) return;
    reported_ = true;
    ended_.set_value({.ok = status.state == State::up,
                      .reason = status.state == State::up ? "" : status.reason,
                      .server = status.state == State::up ? status.server : "",
                      .seconds = 0});
  }
  std::future<management::AliasTest> ended() { return ended_.get_future(); }

 private:
  bool reported_ = false;  // [supervisor]
  std::promise<management::AliasTest> ended_;
};

// Why the publisher has not taken the message.
management::AdminError not_published(std::int32_t code, const config::Config& config,
                                     const management::PublishMessage& message) {
  using Kind = management::AdminError::Kind;
  switch (code) {
    case TRIGGER_E_NOT_FOUND:
      if (config.find_alias(message.alias) == nullptr) {
        return no_alias(config, message.alias).value();
      }
      return {Kind::conflict, fmt::format("alias \"{}\" is disabled", message.alias), {}};
    case TRIGGER_E_NOT_CONNECTED:
    case TRIGGER_E_FULL:
      return {
          Kind::unavailable,
          fmt::format("alias \"{}\" {}", message.alias,
                      code == TRIGGER_E_FULL ? "has too many messages in flight; try again later"
                                             : "is not connected"),
          {}};
    case TRIGGER_E_UNSUPPORTED:
      return {Kind::invalid,
              fmt::format("alias \"{}\" uses MQTT 3.1.1, which has no properties", message.alias),
              {}};
    default:
      return {Kind::invalid,
              fmt::format("cannot publish to \"{}\" with QoS {}: the topic must have no "
                          "wildcards, and QoS must be 0, 1 or 2",
                          message.topic, message.qos),
              {}};
  }
}

// What the running trigger would make of the message by its key.
management::TriggerTest::Key key_of(const config::Deduplicate& rule,
                                    const management::TriggerTestMessage& message,
                                    const TriggerPtr& running) {
  mqtt::Message received;
  received.topic = message.topic;
  received.payload = {reinterpret_cast<const std::uint8_t*>(message.payload.data()),
                      message.payload.size()};
  for (const auto& [name, value] : message.user_properties) {
    mqtt::encode_property(received.properties,
                          {.id = mqtt::property::kUser, .number = 0, .name = name, .value = value});
  }
  const auto key = dispatch::message_key(rule, received);
  return {.rule = to_string(rule),
          .text = dispatch::message_key_text(rule, received),
          .handled = key && running && running->was_handled(*key)};
}

}  // namespace

// ---- An alias ----

management::Outcome<management::AliasTest> TestRunner::connect(
    const config::Alias& alias, const mqtt::tls::Stores& certificates, Millis timeout) {
  if (alias.has_tls() && !certificates.of(alias.name)) {
    const auto broken = certificates.package_problems().find(alias.package);
    if (broken != certificates.package_problems().end()) {
      return refused(broken->second);
    }
    return conflict(
        fmt::format("package \"{}\" is disabled, so its certificates are not loaded; enable it",
                    alias.package));
  }
  std::random_device entropy;
  mqtt::ConnectionOptions options = connection_options(
      alias, fmt::format("triggerd-test-{:08x}{:08x}", entropy(), entropy()), certificates);
  options.clean_session = true;
  options.connection_timeout = std::min(options.connection_timeout.value_or(timeout), timeout);
  const auto attempt = std::make_shared<FirstAttempt>();
  auto ended = attempt->ended();
  auto connection = mqtt::Connection::make(needs_.connections, std::move(options), *attempt);
  if (!connection) {
    return failed(connection.error());
  }
  const Monotonic began = needs_.clock.now();
  (*connection)->open();
  management::AliasTest test{.ok = false,
                             .reason = fmt::format("no answer within {} ms", timeout.count()),
                             .server = {},
                             .seconds = 0};
  if (ended.wait_for(timeout) == std::future_status::ready) test = ended.get();
  test.seconds = std::chrono::duration<double>(needs_.clock.now() - began).count();
  const auto closed = std::make_shared<std::promise<void>>();
  (*connection)->close([closed] { closed->set_value(); });
  (void)closed->get_future().wait_for(kJoin * 3);
  if (!passes(needs_.supervisor, needs_.clock.now() + kJoin * 3)) {
    // The runtime stops: nobody can say that neither is looked at any more.
    (void)new std::pair(*connection, attempt);
  }
  return test;
}

management::Outcome<management::AliasTest> TestRunner::test_alias(std::string_view name,
                                                                  Millis timeout) {
  if (needs_.control.stopping()) return tl::make_unexpected(ControlThread::refusal());
  const ConfigPtr all = needs_.registry.config();
  const config::Alias* found = all->find_alias(name);
  if (found == nullptr) return no_alias(*all, name);
  auto certificates = mqtt::tls::Stores::load(*all);
  if (!certificates) return refused(certificates.error());
  return connect(*found, *certificates, timeout);
}

// Its definition is checked with all others, as if it were to be kept.
management::Outcome<management::AliasTest> TestRunner::test_alias(
    const std::string& name, const management::DefinitionText& text, Millis timeout) {
  if (needs_.control.stopping()) return tl::make_unexpected(ControlThread::refusal());
  const ConfigPtr all = needs_.registry.config();
  // It makes the runtime connect to whatever it names, as the definition itself would.
  if (!all->admin.manage) return may_not_manage();
  const management::DefinitionChange change{.verb = management::DefinitionChange::Verb::replace,
                                            .kind = management::DefinitionKind::alias,
                                            .name = name,
                                            .text = text};
  auto managed = config::ManagedFile::read(all->runtime.state_dir / config::kManagedFile);
  if (!managed) {
    return failed(managed.error());
  }
  auto table = table_to_keep(change, *all, managed->find(config::Defined::alias, name));
  if (!table) return tl::make_unexpected(table.error());
  managed->put(config::Defined::alias, name, *std::move(table));
  auto loaded = needs_.reloader.load(managed->text());
  if (!loaded) {
    return tl::make_unexpected(
        error_of_definition(refused(loaded.error()).value(), *managed, change));
  }
  auto certificates = mqtt::tls::Stores::load(*loaded);
  if (!certificates) {
    return tl::make_unexpected(
        error_of_definition(refused(certificates.error()).value(), *managed, change));
  }
  return connect(*loaded->find_alias(name), *certificates, timeout);
}

// ---- A trigger ----

management::Outcome<management::TriggerTest> TestRunner::test_trigger(
    std::string_view name, const management::TriggerTestMessage& message, Millis timeout) {
  const ConfigPtr all = needs_.registry.config();
  const config::Trigger* found = all->find_trigger(name);
  if (found == nullptr) return no_trigger(*all, name);
  config::Trigger alone = *found;
  alone.concurrency = 1;
  const auto run =
      std::make_shared<TestMessage>(alone.name, alone.alias, message, timeout, needs_.clock);
  const auto begun = needs_.control.run([&] { return begin(alone, *run); });
  if (!begun) return tl::make_unexpected(begun.error());
  (void)run->wait(needs_.clock.now() + timeout);
  management::TriggerTest test = run->result();
  test.log = run->log.take();
  test.pacing = pacing_rules(alone);
  if (alone.deduplicate) {
    test.key = key_of(*alone.deduplicate, message, needs_.registry.now()->trigger(name));
  }
  // Posted, not waited for: a service that does not return takes its time.
  if (!needs_.control.post([this, run, name = alone.name] { end(name, run); })) {
    (void)new std::shared_ptr<TestMessage>(run);  // the process ends
  }
  return test;
}

management::Outcome<> TestRunner::begin(const config::Trigger& trigger, TestMessage& message) {
  auto generation = needs_.plugins.load(trigger.plugin, trigger.package);
  if (!generation) return failed(generation.error());
  auto instance =
      (*generation)
          ->create(trigger, message, &message.log, fmt::format("{}/{}", ++runs_, trigger.name));
  if (!instance) return failed(instance.error());
  if (auto started = (*instance)->start(); !started) return failed(started.error());
  if (auto running = (*instance)->run_workers(message, 1); !running) {
    (*instance)->stop();
    return failed(running.error());
  }
  message.instance = std::move(*instance);
  return {};
}

void TestRunner::end(const std::string& trigger, const std::shared_ptr<TestMessage>& message) {
  if (message->instance->join_workers(needs_.clock.now() + kJoin)) {
    message->instance->stop();
    message->instance.reset();
    return;
  }
  needs_.log.error("trigger.hung", {{"trigger", trigger}},
                   "in a test of the trigger, a call of the service has not returned; the trigger "
                   "itself is not affected");
  message->instance->abandon();
  hung_.push_back(message);
}

// ---- A message ----

management::Outcome<> TestRunner::publish(const management::PublishMessage& message,
                                          Millis timeout) {
  std::vector<mqtt::Property> properties;
  for (const auto& [name, value] : message.user_properties) {
    properties.push_back({.id = mqtt::property::kUser, .name = name, .value = value});
  }
  const mqtt::PublishRequest request{
      .topic = message.topic,
      .payload = {reinterpret_cast<const std::uint8_t*>(message.payload.data()),
                  message.payload.size()},
      .qos = message.qos,
      .retained = message.retained,
      .properties = properties,
      .wait_limit = timeout};
  const auto done = std::make_shared<std::promise<Result<>>>();
  const std::int32_t code = needs_.publisher.publish(
      message.alias, request, [done](const Result<>& outcome) { done->set_value(outcome); });
  if (code != TRIGGER_OK) {
    return tl::make_unexpected(not_published(code, *needs_.registry.config(), message));
  }
  auto outcome = done->get_future();
  if (outcome.wait_for(timeout) != std::future_status::ready) {
    return refused_as(
        management::AdminError::Kind::unavailable,
        fmt::format("the server of alias \"{}\" did not confirm the message in time; it may "
                    "have received it all the same",
                    message.alias));
  }
  return outcome_of(outcome.get());
}

}  // namespace triggerd::control
