// trigger/: the heart. It knows every folder below it: base, config, inbox, mqtt, plugin.
//
//   trigger.hpp     one trigger: a connection, a dispatcher and an instance of a service, tied
//   dispatcher.hpp  from message to verdict: lanes, attempts, retries, deadlines
//   lanes.hpp       which message may go next
//   order_key.hpp   which lane a message belongs to
//   delivery.hpp    one message on its way, over all attempts
//   publisher.hpp   what services publish, by alias
//   runtime.hpp     everything of one configuration, started and stopped
//
// A message comes in at Trigger::on_message (on Paho's receive thread), waits in the dispatcher, is
// handed to a worker by Dispatcher::take, and its verdict comes back through Dispatcher::answered
// or complete. What then becomes of it is told to the DeliverySink half of Trigger.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/event_loop.hpp"
#include "base/log.hpp"
#include "base/mutex.hpp"
#include "config/config.hpp"
#include "inbox/inbox.hpp"
#include "mqtt/connection.hpp"
#include "plugin/plugin.hpp"
#include "trigger/dispatcher.hpp"
#include "trigger/message_id.hpp"
#include "trigger/publisher.hpp"

namespace triggerd::trigger {

// What all triggers of a runtime share. Outlives them.
struct TriggerServices {
  const mqtt::ConnectionServices& connections;
  EventLoop& timer;
  inbox::Inbox& inbox;
  Publisher& publisher;
  MessageIds& ids;
  Log& log;
  // Some trigger began or ceased to run. [supervisor]
  std::function<void()> running_changed;
};

class Trigger final : private mqtt::ConnectionListener,
                      private plugin::InstanceHost,
                      private DeliverySink {
 public:
  Trigger(const config::Trigger& config, const TriggerServices& services);
  ~Trigger() override;
  Trigger(const Trigger&) = delete;
  Trigger& operator=(const Trigger&) = delete;

  // Makes the instance and the connection; nothing runs yet. [main]
  Result<> prepare(const std::shared_ptr<plugin::Generation>& generation,
                   mqtt::ConnectionOptions options);
  // Starts the service, its workers, and then the connection. [main]
  Result<> start();

  // The stages of stopping, each for all triggers before the next. [main]
  // 1. Takes nothing more; `closed` is called on the supervisor.
  void close(std::function<void()> closed);
  // 2. Lets what was accepted finish.
  void drain(Monotonic deadline);
  // 3. Ends workers and service; what is left becomes dead letters. False: a service call does not
  //    come back, so the plugin stays in memory and only the end of the process ends it.
  [[nodiscard]] bool finish(Monotonic deadline);

  const std::string& name() const { return config_.name; }
  // Connected, every filter granted, not suspended. [any]
  bool running() const { return running_; }
  Dispatcher::Stats stats() const { return dispatcher_.stats(); }

 private:
  // mqtt::ConnectionListener
  void on_message(mqtt::Message message) override;
  void on_status(const mqtt::ConnectionStatus& status) override;
  // plugin::InstanceHost
  std::int32_t complete(std::uint64_t token, plugin::Answer answer) override;
  std::int32_t extend(std::uint64_t token, std::uint32_t ms) override;
  std::int32_t publish(const trigger_publish& request, plugin::PublishDone done) override;
  // DeliverySink
  void finished(const Delivery& delivery) override;
  void will_retry(const Delivery& delivery, std::uint32_t attempts, Millis delay,
                  const std::string& reason) override;
  bool bury(const Delivery& delivery, const std::string& reason) override;
  void discarded(const Delivery& delivery, const std::string& reason) override;
  void suspended(const Delivery& delivery, const std::string& reason) override;
  void overdue(const Delivery& delivery) override;
  void stalled(std::size_t late_attempts) override;
  void room_changed() override;

  bool retained_is_wanted(const mqtt::Message& message);
  void remember_retained(const Delivery& delivery);
  void publish_dead_letter(const Delivery& delivery);
  void apply_pause();
  std::vector<LogField> fields(const Delivery& delivery) const;

  const config::Trigger& config_;
  const TriggerServices services_;
  Log& log_;
  Dispatcher dispatcher_;
  std::shared_ptr<plugin::Generation> generation_;
  std::unique_ptr<plugin::Instance> instance_;
  std::shared_ptr<mqtt::Connection> connection_;
  bool started_ = false;  // [main]

  std::atomic<bool> running_{false};
  std::atomic<bool> suspended_{false};
  bool paused_ = false;              // [supervisor]
  std::string not_running_because_;  // [supervisor] as last logged

  Mutex retained_mutex_;
  // With retained = "once": topic -> digest of the payload accepted last.
  std::map<std::string, std::string, std::less<>> retained_seen_
      TRIGGERD_GUARDED_BY(retained_mutex_);
};

}  // namespace triggerd::trigger
