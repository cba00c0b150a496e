// A runtime as its administrator sees it, of real configuration files: its aliases have scripted
// clients, and its triggers no services. What takes its turn on [control] is run by the test.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "config/load.hpp"
#include "control/members/liveness.hpp"
#include "control/members/shutdown_sequence.hpp"
#include "control/plugins/plugin_board.hpp"
#include "control/reload/config_reloader.hpp"
#include "control/services/services.hpp"
#include "support/eventually.hpp"
#include "support/sqlite_connection.hpp"
#include "unit/control/reload_fixture.hpp"

namespace triggerd::control::test {

// A server that answers at once, or not at all.
class ScriptedServer {
 public:
  bool takes_connections = true;
  bool is_silent = false;       // answers neither CONNECT nor PUBLISH
  std::string publish_failure;  // of a message that it was sent; empty: it confirms it
  int taken = 0;                // messages

  std::unique_ptr<mqtt::Client> client(mqtt::ClientEvents& events, EventLoop& supervisor) {
    return std::make_unique<AnsweredClient>(*this, events, supervisor);
  }

 private:
  class AnsweredClient final : public mqtt::Client {
   public:
    AnsweredClient(ScriptedServer& server, mqtt::ClientEvents& events, EventLoop& supervisor)
        : server_(server), events_(events), supervisor_(supervisor) {}
    ~AnsweredClient() override { *gone_ = true; }

    Result<> connect(mqtt::ConnectAttempt attempt, const mqtt::ConnectRequest&) override {
      attempt_ = attempt;
      if (server_.is_silent) return {};
      later([this, attempt, takes = server_.takes_connections] {
        if (takes) {
          events_.on_connected(attempt, {.session_present = false});
        } else {
          events_.on_connect_failed(attempt, 5, {});
        }
      });
      return {};
    }
    Result<> subscribe(mqtt::ConnectAttempt, const std::vector<config::Topic>&) override {
      return {};
    }
    Result<> unsubscribe(mqtt::ConnectAttempt, const std::vector<std::string>&) override {
      return {};
    }
    Result<> disconnect(mqtt::ConnectAttempt attempt) override {
      later([this, attempt] { events_.on_disconnected(attempt); });
      return {};
    }
    void give_up_connect() override {
      later([this] { events_.on_connect_failed(attempt_, 0, "it was given up"); });
    }
    void pause_reading() override {}
    void resume_reading() override {}
    void flush_acknowledgements() override {}
    bool send(std::string_view, const std::vector<std::size_t>&) override { return false; }
    std::size_t unsent() const override { return 0; }
    Result<> publish(const mqtt::PublishRequest&, mqtt::PublishDone done) override {
      ++server_.taken;
      if (server_.is_silent) return {};
      done(server_.publish_failure.empty() ? Result<>()
                                           : Result<>(fail("{}", server_.publish_failure)));
      return {};
    }

   private:
    void later(std::function<void()> event) {
      supervisor_.post([gone = gone_, event = std::move(event)] {
        if (!*gone) event();
      });
    }

    ScriptedServer& server_;
    mqtt::ClientEvents& events_;
    EventLoop& supervisor_;
    mqtt::ConnectAttempt attempt_ = 0;
    const std::shared_ptr<std::atomic<bool>> gone_ = std::make_shared<std::atomic<bool>>(false);
  };
};

class ManagedRuntime : public ReloadableParts {
 protected:
  void SetUp() override {
    Parts::SetUp();
    std::filesystem::create_directory(state_dir());
    resolver_.addresses = {{"one", {"10.0.0.1"}}, {"two", {"10.0.0.2"}}};
    make_client_ = [this](mqtt::ClientEvents& events) -> Result<std::unique_ptr<mqtt::Client>> {
      return server_.client(events, *supervisor_);
    };
  }
  void TearDown() override {
    turning_ = {};
    const auto running = registry_.now();
    for (const AliasPtr& alias : running->aliases) publisher_.remove(alias->name());
    for (const TriggerPtr& trigger : running->triggers) trigger->end_tasks();
    registry_.change([](Running& now) { now.triggers.clear(); });
    composed_.reset();
    reloader_.reset();
    sessions_.reset();
    Parts::TearDown();
  }

  std::filesystem::path state_dir() const { return dir_ / "state"; }
  std::filesystem::path managed_file() const { return state_dir() / "managed.toml"; }
  tl::expected<config::Config, Diagnostics> load(const std::optional<std::string>& managed) const {
    return config::load(
        dir_ / "triggers.toml",
        [](const std::string&) -> std::optional<std::string> { return std::nullopt; },
        [this](const auto&, const auto&) { return packages_; }, managed);
  }
  void write(const std::string& toml) const {
    dir_.write(
        "triggers.toml",
        "[runtime]\nname = \"r\"\nstate_dir = \"state\"\nplugin_dirs = [\"plugins\"]\n" + toml);
  }
  // A package with this triggers.toml.
  config::Package& add_package(const std::string& name, const std::string& toml,
                               bool enabled = true) {
    dir_.write("packages/" + name + "/triggers.toml", toml);
    config::Package& package = packages_.emplace_back();
    package.name = name;
    package.version = "1.0";
    package.folder = dir_ / "packages" / name;
    package.enabled = enabled;
    return package;
  }

  // The runtime runs with this configuration: its aliases are connected, its triggers are not made.
  void start(const std::string& toml, PackageChanges changes = {}) {
    write(toml);
    auto loaded = load({});
    ASSERT_TRUE(loaded) << config::to_string(loaded.error().at(0));
    run(shared(*std::move(loaded)));
    compose(std::move(changes));
    control_.open([] {});
    const ConfigPtr all = registry_.config();
    for (const config::Alias& alias : all->aliases) {
      if (!alias.enabled) continue;
      const AliasPtr made = take_in(alias);
      publisher_.add(alias.name, {made, made->connection().get()});
    }
  }
  // One of the triggers runs, without a service.
  TriggerPtr run_trigger(const std::string& name) {
    auto made = std::make_shared<trigger::Trigger>(*registry_.config()->find_trigger(name),
                                                   trigger_services());
    EXPECT_TRUE(factory_->connect(*made));
    registry_.change([&](Running& running) { running.triggers.add(made); });
    return made;
  }
  // Others turn the supervisor and the timer from now on.
  void turn_loops() {
    turning_ = std::jthread([this](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        if (supervisor_->run_due() + timer_.run_due() == 0) std::this_thread::yield();
      }
    });
  }
  // What somebody asks for, on a thread of theirs, while this one is [control].
  template <class Call>
  auto ask(Call call) -> decltype(call()) {
    auto answer = std::async(std::launch::async, std::move(call));
    EXPECT_TRUE(triggerd::test::eventually([&] {
      control_.run_due();
      return answer.wait_for(Millis(0)) == std::future_status::ready;
    }));
    return answer.get();
  }
  // Nothing can be read from this table of the inbox, or written to it.
  void break_inbox(const std::string& table) {
    const triggerd::test::SqliteConnection other((dir_ / "inbox.db").string());
    ASSERT_EQ(other.run("DROP TABLE " + table), 0);
  }

  States& states() { return composed_->services.states; }
  Status& status() { return composed_->services.status; }
  Definitions& definitions() { return composed_->services.definitions; }
  TestRunner& test_runs() { return composed_->services.test_runs; }
  Packages& packages() { return composed_->services.packages; }
  DeadLetters& dead_letters() { return composed_->services.dead_letters; }

  ScriptedServer server_;
  std::vector<config::Package> packages_;
  PluginBoard board_{plugins_, plugin_users_, plugin_reloader_, clock_};
  Liveness liveness_{*supervisor_, timer_, registry_};

 private:
  void compose(PackageChanges changes) {
    make_reloader(
        system_clock(), [this](const std::optional<std::string>& managed) { return load(managed); },
        dir_ / "triggers.toml");
    composed_.emplace(*this, std::move(changes));
  }
  trigger::TriggerServices trigger_services() {
    return {.connections = connections_,
            .timer = timer_,
            .inbox = *inbox_,
            .writer = *writer_,
            .publisher = publisher_,
            .ids = ids_,
            .log = log_,
            .events = events_,
            .running_changed = [] {},
            .start_later = [](trigger::Trigger&, Millis) {},
            .stopping = [this] { return control_.stopping(); }};
  }

  // They know each other, so they are made where they stay.
  struct Composed {
    Composed(ManagedRuntime& runtime, PackageChanges changes)
        : services{.status = {{.registry = runtime.registry_,
                               .readiness = runtime.readiness_,
                               .liveness = runtime.liveness_,
                               .reloader = *runtime.reloader_,
                               .plugin_board = runtime.board_,
                               .plugins = runtime.plugins_,
                               .inbox_health = runtime.inbox_health_,
                               .inbox = *runtime.inbox_,
                               .writer = *runtime.writer_,
                               .publisher = runtime.publisher_,
                               .outboxes = *runtime.outboxes_,
                               .clock = runtime.clock_},
                              {.version = "1.2.3", .config_file = "triggers.toml", .started = {}}},
                   .states = States({.control = runtime.control_,
                                     .registry = runtime.registry_,
                                     .status = services.status,
                                     .reloader = *runtime.reloader_,
                                     .stored = runtime.inbox_->triggers(),
                                     .log = runtime.log_}),
                   .definitions = Definitions({.control = runtime.control_,
                                               .registry = runtime.registry_,
                                               .reloader = *runtime.reloader_,
                                               .log = runtime.log_}),
                   .test_runs = TestRunner({.control = runtime.control_,
                                            .registry = runtime.registry_,
                                            .plugins = runtime.plugins_,
                                            .reloader = *runtime.reloader_,
                                            .connections = runtime.connections_,
                                            .supervisor = *runtime.supervisor_,
                                            .publisher = runtime.publisher_,
                                            .clock = system_clock(),
                                            .log = runtime.log_}),
                   .packages = {{.control = runtime.control_,
                                 .registry = runtime.registry_,
                                 .plugins = runtime.plugins_,
                                 .plugin_reloader = runtime.plugin_reloader_,
                                 .reloader = *runtime.reloader_,
                                 .sessions = *runtime.sessions_,
                                 .log = runtime.log_},
                                std::move(changes)},
                   .dead_letters = DeadLetters({.control = runtime.control_,
                                                .registry = runtime.registry_,
                                                .stored = runtime.inbox_->dead_letters(),
                                                .log = runtime.log_}),
                   .outboxes = Outboxes({.registry = runtime.registry_,
                                         .outboxes = *runtime.outboxes_,
                                         .stored = runtime.inbox_->outgoing(),
                                         .clock = system_clock(),
                                         .log = runtime.log_})} {}
    Services services;
  };
  std::optional<Composed> composed_;
  std::jthread turning_;
};

}  // namespace triggerd::control::test
