// One trigger whole, between a scripted connection and a scripted service, with a clock that the
// test turns. Its inbox is a real file.
#include "trigger/trigger.hpp"

#include <algorithm>

#include "config/trigger.hpp"
#include "support/sqlite_connection.hpp"
#include "support/temp_dir.hpp"
#include "unit/dispatch/messages.hpp"
#include "unit/mqtt/session/connection_fixture.hpp"
#include "unit/trigger/scripted_instance.hpp"

namespace triggerd::trigger {
namespace {

using management::TriggerStatus;

class TriggerTest : public mqtt::test::FakedConnection {
 protected:
  TriggerTest() {
    options_.servers = {{.host = "one", .port = 1883}};
    options_.topics = {{"a", 1}};
    resolver_.addresses = {{"one", {"10.0.0.1"}}};
    config_.name = "t";
    config_.alias = "plant";
    config_.plugin = "p";
    config_.topics = options_.topics;
    config_.acknowledge = config::Acknowledge::finished;
    config_.order.by = config::Order::By::trigger;
    config_.queue_capacity = 10;
    config_.timeout = Millis(1'000);
    config_.retry.max_attempts = 1;
    config_.monitor_interval = Millis(60'000);
  }
  ~TriggerTest() override {
    if (trigger_) trigger_->end_tasks();
    trigger_.reset();
  }

  // ---- Its life ----

  MakeInstance makes(const std::string& name, const Behaviour& behaviour, ScriptedInstance*& made) {
    return [this, name, behaviour, &made](const config::Trigger&, plugin::InstanceHost&) {
      auto instance = std::make_unique<ScriptedInstance>(name, behaviour, script_);
      made = instance.get();
      return Result<std::unique_ptr<plugin::Instance>>(std::move(instance));
    };
  }
  Trigger& make(const Behaviour& behaviour = {}) {
    trigger_ = std::make_unique<Trigger>(config_, services_);
    MakeInstance monitor;
    if (!config_.monitor_plugin.empty()) monitor = makes("m", {.has_probe = true}, monitor_);
    EXPECT_TRUE(trigger_->make_service(makes("s", behaviour, service_), monitor));
    EXPECT_TRUE(trigger_->make_connection(options_));
    return *trigger_;
  }
  // Started, connected and subscribed.
  Trigger& up() {
    make();
    EXPECT_TRUE(trigger_->start());
    turn();
    connected();
    subscribed({1});
    return *trigger_;
  }
  void stop() {
    trigger_->stop_receiving();
    trigger_->end_workers();
    trigger_->join_workers(clock_.now());
    EXPECT_TRUE(trigger_->finish(clock_.now()));
  }
  void turn() {
    timer_.run_due();
    loop_->run_due();
    timer_.run_due();
  }
  void pass(Millis time) {
    clock_.advance(time);
    turn();
  }

  // ---- Messages ----

  static mqtt::Message message(const std::string& topic, int qos = 0) {
    mqtt::Message made = dispatch::test::message(topic);
    made.qos = qos;
    made.packet_id = static_cast<std::uint16_t>(qos);
    return made;
  }
  void receive(mqtt::Message message) {
    asked_.messages->on_message(std::move(message));
    asked_.messages->on_batch_end();
    turn();
  }
  void receive(const std::string& topic) { receive(message(topic)); }
  // What the service is given next; null: nothing.
  const trigger_message* take() { return service_->source().poll(0).message; }
  // The service says this of the message that it is given next.
  void handle(std::int32_t code) {
    const trigger_message* const taken = take();
    ASSERT_NE(taken, nullptr);
    service_->source().answered(*taken, {.code = code, .retry_after_ms = 0, .reason = {}});
    turn();
  }
  TriggerStatus status() const {
    TriggerStatus status;
    trigger_->fill_in(status);
    return status;
  }

  // ---- Its inbox ----

  bool run(const std::string& sql) const {
    const triggerd::test::SqliteConnection other((dir_ / "inbox").string());
    return other.run("PRAGMA busy_timeout = 20000;" + sql) == SQLITE_OK;
  }
  // Whatever needs this table fails, until it is put back.
  void take_away(const std::string& table) const {
    ASSERT_TRUE(run("ALTER TABLE " + table + " RENAME TO away"));
  }
  void put_back(const std::string& table) const {
    ASSERT_TRUE(run("ALTER TABLE away RENAME TO " + table));
  }
  bool written() {
    return writer_.flush(std::chrono::steady_clock::now() + std::chrono::seconds(20));
  }
  std::size_t rows() { return inbox_->messages().page("t", 0, 100).value().size(); }
  std::optional<inbox::TriggerState> stored_state() {
    return inbox_->triggers().state("t").value();
  }

  config::Trigger config_;
  triggerd::test::TempDir dir_;
  EventLoop timer_{clock_};
  std::unique_ptr<inbox::Inbox> inbox_ = inbox::Inbox::open(dir_ / "inbox").value();
  inbox::Writer writer_{*inbox_, {.sync_to_disk = false, .retry = Millis(1)}, [](const auto&) {}};
  Publisher publisher_;
  dispatch::MessageIds ids_;
  management::EventBus events_{clock_};
  bool stopping_ = false;
  std::vector<Millis> starts_later_;
  const mqtt::ConnectionServices connections_{
      .supervisor = loop_,
      .resolver = resolver_,
      .password_commands = password_commands_,
      .make_client = [this](const mqtt::ConnectionOptions&, mqtt::MessageListener& messages,
                            mqtt::ClientEvents& events) -> Result<std::unique_ptr<mqtt::Client>> {
        asked_.messages = &messages;
        asked_.events = &events;
        return std::make_unique<mqtt::test::FakeClient>(asked_);
      },
      .sessions = sessions_,
      .random = [] { return 1.0; },
      .log = log_,
      .losses = losses_};
  const TriggerServices services_{
      .connections = connections_,
      .timer = timer_,
      .inbox = *inbox_,
      .writer = writer_,
      .publisher = publisher_,
      .ids = ids_,
      .log = log_,
      .events = events_,
      .running_changed = [] {},
      .start_later = [this](Trigger&, Millis delay) { starts_later_.push_back(delay); },
      .stopping = [this] { return stopping_; }};
  Script script_;
  ScriptedInstance* service_ = nullptr;
  ScriptedInstance* monitor_ = nullptr;
  std::unique_ptr<Trigger> trigger_;
};

// ---- Started ----

TEST_F(TriggerTest, AMessageGoesToTheServiceAndIsCounted) {
  up();
  EXPECT_TRUE(status().running);
  receive("a");
  EXPECT_EQ(status().queued, 1u);
  handle(TRIGGER_OK);
  EXPECT_EQ(status().counters.received, 1u);
  EXPECT_EQ(status().counters.ok, 1u);
  EXPECT_EQ(take(), nullptr);
}

TEST_F(TriggerTest, WhileItsServiceDoesNotStartItReceivesAndKeepsWhatComes) {
  make({.starts_at_most = 0});
  EXPECT_FALSE(trigger_->start());
  EXPECT_EQ(starts_later_, std::vector<Millis>{Millis(1'000)});
  turn();
  connected();
  subscribed({1});
  receive("a");
  EXPECT_FALSE(status().running);
  EXPECT_EQ(status().not_running_reason, "its service did not start: s start failed");
  EXPECT_EQ(status().queued, 1u);
}

TEST_F(TriggerTest, AFilterThatTheServerRefusesIsWhyItDoesNotRun) {
  make();
  ASSERT_TRUE(trigger_->start());
  EXPECT_EQ(status().filters.size(), 1u) << "nothing is known of it yet";
  turn();
  connected();
  subscribed({0x80});
  EXPECT_FALSE(status().running);
  EXPECT_EQ(status().not_running_reason, "tcp://one:1883 refused the subscription to \"a\"");
}

TEST_F(TriggerTest, WhatAServerOfMqtt5SaysOfItsRefusalIsInTheStatus) {
  options_.protocol = config::Protocol::v5;
  make();
  ASSERT_TRUE(trigger_->start());
  turn();
  connected();
  asked_.events->on_subscribed(asked_.attempt(), {0x87}, "ask anna");
  turn();
  EXPECT_EQ(status().not_running_reason,
            "the server refused \"a\": not authorized (reason code 0x87): \"ask anna\"");
  ASSERT_EQ(status().filters.size(), 1u);
  EXPECT_FALSE(status().filters[0].granted_qos);
}

TEST_F(TriggerTest, AServiceOrAMonitorThatCannotBeMadeSaysWhy) {
  const MakeInstance fails = [](const config::Trigger&, plugin::InstanceHost&) {
    return Result<std::unique_ptr<plugin::Instance>>(fail("a setting is missing"));
  };
  Trigger trigger(config_, services_);
  const auto without_service = trigger.make_service(fails, {});
  ASSERT_FALSE(without_service);
  EXPECT_EQ(without_service.error().message, "a setting is missing");
  const auto without_monitor = trigger.make_service(makes("s", {}, service_), fails);
  ASSERT_FALSE(without_monitor);
  EXPECT_EQ(without_monitor.error().message, "its monitor: a setting is missing");
}

TEST_F(TriggerTest, ItDoesNotConnectWithoutKnowingWhatTheInboxHasOfIt) {
  config_.retained = config::Retained::once;
  for (const char* table : {"handled_retained", "awaiting_pubrel", "trigger_state"}) {
    SCOPED_TRACE(table);
    Trigger trigger(config_, services_);
    ASSERT_TRUE(trigger.make_service(makes("s", {}, service_), {}));
    take_away(table);
    EXPECT_FALSE(trigger.make_connection(options_));
    put_back(table);
    EXPECT_TRUE(trigger.make_connection(options_));
  }
}

TEST_F(TriggerTest, ABacklogThatCannotBeReadIsTriedAgainBeforeItConnects) {
  make();
  take_away("message");
  ASSERT_TRUE(trigger_->start());
  turn();
  EXPECT_EQ(log_.count("inbox.error"), 1u);
  EXPECT_TRUE(asked_.connects.empty()) << "what is in the inbox goes first";
  put_back("message");
  pass(Millis(1'000));
  EXPECT_EQ(asked_.connects.size(), 1u);
}

TEST_F(TriggerTest, ABacklogThatDoesNotFitIsReadAsTheServiceMakesRoom) {
  up();
  for (int i = 0; i < 9; ++i) receive("a");
  stop();
  ASSERT_TRUE(written());
  trigger_->end_tasks();
  trigger_.reset();
  config_.queue_capacity = 4;
  make();
  asked_.connects.clear();
  ASSERT_TRUE(trigger_->start());
  turn();
  for (int handled = 0; handled < 9; ++handled) {
    EXPECT_LE(status().queued, 4u);
    EXPECT_TRUE(handled >= 5 || asked_.connects.empty()) << "some are still in the inbox";
    handle(TRIGGER_OK);
    pass(Millis(1));
  }
  EXPECT_EQ(asked_.connects.size(), 1u);
  EXPECT_EQ(status().counters.ok, 9u);
}

// ---- Messages that fail ----

TEST_F(TriggerTest, AMessageThatIsDiscardedIsDoneWith) {
  config_.on_exhausted = config::OnExhausted::discard;
  up();
  receive(message("a", 1));
  EXPECT_EQ(trigger_->acks_held(), 1u);
  handle(TRIGGER_RETRY);
  EXPECT_EQ(status().counters.discarded, 1u);
  EXPECT_EQ(trigger_->acks_held(), 0u);
  EXPECT_EQ(take(), nullptr);
}

TEST_F(TriggerTest, ADeadLetterThatCannotBeWrittenHoldsItsLaneUntilItIs) {
  up();
  receive("a");
  receive("b");
  take_away("dead_letter");
  handle(TRIGGER_REJECT);
  EXPECT_EQ(log_.count("dead_letter.failed"), 1u);
  EXPECT_EQ(status().counters.dead_letters_made, 0u);
  EXPECT_EQ(take(), nullptr) << "\"b\" waits behind it";
  put_back("dead_letter");
  for (int second = 0; second < 60 && status().counters.dead_letters_made == 0; ++second) {
    pass(Millis(1'000));
  }
  EXPECT_EQ(inbox_->dead_letters().newest("t", 10).value().size(), 1u);
  EXPECT_EQ(log_.count("message.dead_letter"), 1u);
  handle(TRIGGER_OK);
}

// ---- Suspended, and by itself again ----

TEST_F(TriggerTest, ASuspensionThatCannotBeStoredHoldsAndIsStoredOnceItCanBe) {
  config_.on_exhausted = config::OnExhausted::suspend;
  up();
  receive("a");
  take_away("trigger_state");
  handle(TRIGGER_RETRY);
  EXPECT_EQ(status().state, TriggerStatus::State::suspended);
  EXPECT_EQ(take(), nullptr);
  EXPECT_NE(log_.last("inbox.error").find("a restart would lift the suspension"),
            std::string::npos);
  pass(Millis(1'000));
  put_back("trigger_state");
  EXPECT_FALSE(stored_state());
  pass(Millis(1'000));
  ASSERT_TRUE(stored_state());
  EXPECT_EQ(stored_state()->state, TriggerState::Kind::suspended);
}

TEST_F(TriggerTest, ARecoveryThatCannotBeStoredHoldsAndIsStoredOnceItCanBe) {
  config_.on_exhausted = config::OnExhausted::suspend;
  up();
  receive("a");
  handle(TRIGGER_RETRY);
  ASSERT_TRUE(stored_state());
  pass(config_.monitor_interval);
  take_away("trigger_state");
  handle(TRIGGER_OK);
  EXPECT_EQ(status().state, TriggerStatus::State::enabled);
  EXPECT_EQ(log_.count("inbox.error"), 1u);
  put_back("trigger_state");
  EXPECT_TRUE(stored_state());
  pass(Millis(1'000));
  EXPECT_FALSE(stored_state());
}

TEST_F(TriggerTest, AMessageThatFailsAgainLeavesItSuspended) {
  config_.on_exhausted = config::OnExhausted::suspend;
  up();
  receive("a");
  handle(TRIGGER_RETRY);
  for (int i = 0; i < 3; ++i) {
    pass(config_.monitor_interval);
    handle(TRIGGER_RETRY);
    EXPECT_EQ(status().state, TriggerStatus::State::suspended);
    EXPECT_EQ(take(), nullptr) << "one message at a time";
  }
}

TEST_F(TriggerTest, ItsMonitorIsAskedBeforeAMessageIsTried) {
  config_.monitor_plugin = "watch";
  up();
  receive("a");
  ASSERT_TRUE(trigger_->suspend("anna", "the database moves"));
  pass(config_.monitor_interval);
  plugin::WorkSource& source = monitor_->source();
  ASSERT_EQ(source.poll(0).message, &plugin::WorkSource::kProbe);
  source.probed(fail("still away"));
  turn();
  EXPECT_EQ(take(), nullptr);
  EXPECT_EQ(log_.last("trigger.suspended"), "stays suspended: still away");
  pass(config_.monitor_interval);
  ASSERT_EQ(source.poll(0).message, &plugin::WorkSource::kProbe);
  source.probed({});
  turn();
  handle(TRIGGER_OK);
  EXPECT_EQ(status().state, TriggerStatus::State::enabled);
}

TEST_F(TriggerTest, ASuspensionByAnAdministratorLastsOverARestart) {
  up();
  ASSERT_TRUE(trigger_->suspend("anna", "the database moves"));
  EXPECT_EQ(status().state_by, "anna");
  trigger_->end_tasks();
  trigger_.reset();
  make();
  EXPECT_EQ(status().state, TriggerStatus::State::suspended);
  EXPECT_EQ(log_.last("trigger.suspended"),
            "it was suspended by anna and stays so: the database moves");
}

// ---- Disabled ----

TEST_F(TriggerTest, ADisabledTriggerDisconnectsAndIsBackOnceItIsEnabled) {
  up();
  ASSERT_TRUE(trigger_->disable("anna", "", Millis(0)));
  turn();
  EXPECT_EQ(asked_.disconnects.size(), 1u);
  EXPECT_FALSE(status().running);
  EXPECT_EQ(status().not_running_reason, "disabled");
  disconnected();
  ASSERT_TRUE(trigger_->enable());
  turn();
  EXPECT_EQ(asked_.connects.size(), 2u);
  connected(true);
  subscribed({1});
  EXPECT_TRUE(status().running);
}

TEST_F(TriggerTest, AChangeThatCannotBeStoredIsRefusedAndNothingHasChanged) {
  up();
  take_away("trigger_state");
  EXPECT_FALSE(trigger_->disable("anna", "", Millis(0)));
  EXPECT_FALSE(trigger_->suspend("anna", ""));
  EXPECT_TRUE(status().running);
  EXPECT_EQ(status().state, TriggerStatus::State::enabled);
  put_back("trigger_state");
  receive("a");
  handle(TRIGGER_OK);
}

// ---- What it does not take, and when it takes nothing ----

TEST_F(TriggerTest, RetainedMessagesAreSkippedIfItIsToldTo) {
  config_.retained = config::Retained::skip;
  up();
  mqtt::Message retained = message("a", 1);
  retained.retained = true;
  receive(std::move(retained));
  EXPECT_EQ(take(), nullptr);
  EXPECT_EQ(trigger_->arrived(), 1u);
}

TEST_F(TriggerTest, AMessageThatIsTooLargeIsCountedAndNotTaken) {
  up();
  asked_.events->on_too_large(message("a", 1), 1'000);
  asked_.messages->on_batch_end();
  turn();
  EXPECT_EQ(status().counters.refused, 1u);
  EXPECT_EQ(take(), nullptr);
}

TEST_F(TriggerTest, WhenItIsFullItReceivesNothingUntilThereIsRoom) {
  config_.queue_capacity = 1;
  up();
  receive("a");
  EXPECT_TRUE(status().paused);
  EXPECT_EQ(status().pause_reason, "queue_capacity (1) is reached");
  EXPECT_FALSE(trigger_->may_replay());
  handle(TRIGGER_OK);
  EXPECT_FALSE(status().paused);
  EXPECT_TRUE(trigger_->may_replay());
}

TEST_F(TriggerTest, AnInboxInTroubleStopsOnlyWhoNeedsIt) {
  up();
  trigger_->inbox_trouble("the disk is full");
  EXPECT_FALSE(status().paused) << "its messages wait for the service, and not for the disk";
  trigger_->end_tasks();
  config_.acknowledge = config::Acknowledge::durable;
  up();
  trigger_->inbox_trouble("the disk is full");
  EXPECT_EQ(status().pause_reason, "the inbox takes no messages: the disk is full");
  trigger_->inbox_trouble(std::nullopt);
  EXPECT_FALSE(status().paused);
}

TEST_F(TriggerTest, AReplayedMessageIsGivenAsAnyOther) {
  up();
  inbox::StoredMessage stored;
  stored.number = 5;
  stored.trigger = "t";
  stored.message_id = "again";
  stored.topic = "a";
  trigger_->replay(stored);
  turn();
  const trigger_message* const taken = take();
  ASSERT_NE(taken, nullptr);
  EXPECT_EQ(std::string_view(taken->id.ptr, taken->id.len), "again");
  service_->source().answered(*taken, {.code = TRIGGER_OK, .retry_after_ms = 0, .reason = {}});
}

// ---- Stopped with messages that are not finished ----

TEST_F(TriggerTest, WhatTheServerStillHasIsLeftToIt) {
  up();
  receive(message("a", 1));
  EXPECT_EQ(trigger_->acks_held(), 1u);
  stop();
  ASSERT_TRUE(written());
  trigger_->report_unfinished(true);
  EXPECT_EQ(rows(), 0u);
  EXPECT_EQ(log_.count("trigger.unfinished"), 0u);
}

TEST_F(TriggerTest, WhatNobodyElseHasIsKeptForTheNextStart) {
  up();
  receive("a");
  receive("b");
  stop();
  ASSERT_TRUE(written());
  trigger_->report_unfinished(true);
  EXPECT_EQ(rows(), 2u);
  EXPECT_EQ(log_.last("trigger.unfinished"),
            "2 messages are not handled yet: the inbox keeps them for the next start");
  trigger_->report_unfinished(false);
  EXPECT_EQ(log_.count("message.lost"), 0u) << "they were written";
}

TEST_F(TriggerTest, WhatCannotBeKeptIsLostAndSaidToBe) {
  up();
  receive("a");
  take_away("message");
  stop();
  trigger_->report_unfinished(false);
  EXPECT_EQ(log_.last("message.lost"),
            "message on \"a\" is lost: the runtime stopped, and the inbox could not be written");
  // The writer is to have nothing of a trigger that is gone.
  put_back("message");
  EXPECT_TRUE(written());
}

TEST_F(TriggerTest, AServiceThatDoesNotComeBackIsSaidToHang) {
  make({.returns = false});
  ASSERT_TRUE(trigger_->start());
  trigger_->stop_receiving();
  trigger_->join_workers(clock_.now());
  EXPECT_FALSE(trigger_->finish(clock_.now()));
  EXPECT_EQ(log_.count("trigger.hung"), 1u);
}

TEST_F(TriggerTest, WhatTheNextStartFindsInTheInboxComesFirst) {
  up();
  receive("kept");
  stop();
  ASSERT_TRUE(written());
  trigger_->end_tasks();
  trigger_.reset();
  up();
  turn();
  receive("new");
  const trigger_message* const taken = take();
  ASSERT_NE(taken, nullptr);
  EXPECT_EQ(std::string_view(taken->topic.ptr, taken->topic.len), "kept");
}

}  // namespace
}  // namespace triggerd::trigger
