// trigger/: the heart. It knows every folder below it: base, config, inbox, mqtt, plugin.
//
//   trigger.hpp           one trigger: a connection, a dispatcher, an instance of a service
//   monitor.hpp           the service that says when a suspended trigger may go on
//   draining.hpp          triggers that stop together
//   intake.hpp            from received messages to deliveries, and to the inbox
//   dispatcher.hpp        from message to verdict: lanes, attempts, retries, deadlines
//                         (_inline: on the receive thread, _link: worker processes, _outage: what
//                         a service needs is away, _states: held and gated, _timer: what is due,
//                         _end: the stop)
//   lanes.hpp             which message may go next
//   order_key.hpp         which lane a message belongs to
//   delivery.hpp          one message on its way, over all attempts
//   deaths.hpp            messages that have ended the runtime before
//   publisher.hpp         what services publish, by alias
//   plugin_set.hpp        the plugins of a configuration, each loaded once
//   reloader.hpp          another build of a plugin takes over
//   administration.hpp    what whoever administers it sees of the runtime
//   event_hub.hpp         what happens, told to listeners
//   package_failures.hpp  packages that cost themselves alone
//   runtime.hpp           everything of one configuration, started, stopped and changed
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
#include "base/task_guard.hpp"
#include "config/config.hpp"
#include "dispatch/dispatcher.hpp"
#include "dispatch/intake.hpp"
#include "dispatch/message_id.hpp"
#include "inbox/inbox.hpp"
#include "management/event_hub.hpp"
#include "management/status.hpp"
#include "mqtt/session/connection.hpp"
#include "plugin/plugin.hpp"
#include "trigger/connection_watch.hpp"
#include "trigger/monitor.hpp"
#include "trigger/publisher.hpp"

namespace triggerd::trigger {

class Trigger;

// What all triggers of a runtime share. Outlives them.
struct TriggerServices {
  const mqtt::ConnectionServices& connections;
  EventLoop& timer;
  inbox::Inbox& inbox;
  inbox::Writer& writer;
  Publisher& publisher;
  dispatch::MessageIds& ids;
  Log& log;
  management::EventHub& events;
  // Some trigger began or ceased to run. [supervisor]
  std::function<void()> running_changed;
  // Its service did not start: start_again() is to be called after this time. [control]
  std::function<void(Trigger&, Millis)> start_later;
  // The runtime stops: nothing may wait for long. [any]
  std::function<bool()> stopping;
  dispatch::Deaths* deaths = nullptr;  // null: nothing is known of earlier runs
};

class Trigger final : private mqtt::ConnectionListener,
                      private plugin::InstanceHost,
                      private dispatch::DeliverySink {
 public:
  Trigger(const config::Trigger& config, const TriggerServices& services);
  ~Trigger() override;
  Trigger(const Trigger&) = delete;
  Trigger& operator=(const Trigger&) = delete;

  // Makes the instance; what is of another trigger of that name runs on. [control]
  // `monitor` is the plugin of the trigger's monitor service; null where it has none of its own.
  Result<> make_service(const std::shared_ptr<plugin::Generation>& generation,
                        const std::shared_ptr<plugin::Generation>& monitor);
  // Reads what the inbox has of it, and makes its connection, once there is no other trigger of
  // that name. [control]
  Result<> make_connection(mqtt::ConnectionOptions options);
  // Makes the connection receive: what comes before the service runs waits for it. [control]
  void begin_receiving();
  // The same, and starts the service and its workers. After an error it goes on to receive, and
  // start_later() was called. [control]
  Result<> start();

  // The stages of stopping, each for all triggers before the next. [control, main]
  // 1. Receives nothing more, but stays connected, for the acknowledgements. One with a clean
  //    session unsubscribes instead, and receives what the server still has for it.
  void stop_receiving();
  // 2. Lets what was accepted finish, in draining.hpp. True: there is nothing more to wait for
  //    before `deadline`; else it waits until `pause` at most.
  bool drain(Monotonic deadline, Monotonic pause);
  // Receives what the server has for a clean session that has unsubscribed, until end_leaving().
  bool leaving() const { return leaving_; }
  // The server has said that it is not subscribed any more, or there is no connection.
  bool left() const { return left_; }
  void end_leaving();
  // Messages that came, wanted or not. [any]
  std::uint64_t arrived() const { return arrived_.load(std::memory_order_relaxed); }
  // Has every acknowledgement leave that may. [any]
  void flush_acknowledgements();
  // 3. Disconnects, and keeps the session; `closed` is called on the supervisor.
  void close(std::function<void()> closed);
  // 4. Asks its workers to come back, and does not wait.
  void end_workers();
  // 5. Waits for them. No service is stopped before the workers of all are gone: each looks through
  //    the threads of the process for those that it has left running.
  void join_workers(Monotonic deadline);
  // 6. Stops and destroys the service, and gives the writer what is left and nobody else has.
  //    False: a service call does not come back, so the plugin stays in memory and only the end of
  //    the process ends it.
  [[nodiscard]] bool finish(Monotonic deadline);
  // 7. Says what became of that, after the writer was flushed.
  void tell_leftovers(bool written);
  // 8. Leaves no task with any loop that would still begin: once the supervisor and the timer have
  //    passed, and the writer has nothing of it any more, it may be destroyed.
  void end_tasks();

  // Stops it, and keeps it so over restarts: what is in flight is finished first, for up to
  // `drain_timeout`; the session stays at the server. [control]
  Result<> disable(const std::string& by, const std::string& reason, Millis drain_timeout);
  // Hands out nothing more until it is enabled, or its monitor says so; over restarts. [control]
  Result<> suspend(const std::string& by, const std::string& reason);
  // Starts it again, from disabled or suspended. [control]
  Result<> enable();
  // Starts its service where it did not start before. [control]
  Result<> start_again();
  // Gives the service a message that was a dead letter. [any]
  void replay(const inbox::StoredMessage& message);
  // Whether one more fits in queue_capacity. [any]
  bool may_replay() const { return dispatcher_.room() > replaying_; }

  // ---- Another generation of a plugin: reloader.hpp tells the whole story. [control] ----

  // Whether its service or its monitor is of this generation.
  bool uses(const plugin::Generation& generation) const;
  // Makes the successors, of `next`, of what is of `old`. They are not started yet.
  Result<> make_successor(const plugin::Generation& old,
                          const std::shared_ptr<plugin::Generation>& next);
  void drop_successor();
  // Between these two, the service gets no message. False: it still has one at `deadline`.
  [[nodiscard]] bool close_gate(Monotonic deadline) { return dispatcher_.close_gate(deadline); }
  void open_gate();
  // Takes back what the service has not completed; it gets these messages again.
  void revoke_pending() { dispatcher_.revoke_pending(); }
  // With the gate closed: stops what serves, hands its state over if `with_state`, starts the
  // successor. After an error it is as before.
  Result<> hand_over(Monotonic deadline, bool with_state);
  // With the gate closed: the predecessor serves again.
  void take_back(Monotonic deadline);
  void drop_predecessor();

  // What its service needs may be there again. [any]
  void try_now() { dispatcher_.try_now(); }

  // The inbox cannot take messages, for this reason; or can again. [any]
  void inbox_trouble(const std::optional<std::string>& reason);

  const std::string& name() const { return config_.name; }
  // Connected, every filter granted, not suspended. [any]
  bool running() const { return running_; }
  dispatch::Dispatcher::Stats stats() const { return dispatcher_.stats(); }
  // As Dispatcher::inline_since().
  std::optional<Monotonic> keeps_receiver_since() const { return dispatcher_.inline_since(); }
  const config::Trigger& config() const { return config_; }
  // Once there is one. [any]
  management::ConnectionView connection_view() const { return watch_.view(connection_->options()); }
  const mqtt::ConnectionOptions& connection_options() const { return connection_->options(); }
  // All of its status that it knows itself: nothing of the inbox, and no definition. [any]
  void fill_in(management::TriggerStatus& status) const;
  // Acknowledgements that wait for the service or the disk. [any]
  std::size_t acks_held() const;
  // What its service counts. [any]
  std::vector<plugin::Metric> metrics() const;

 private:
  // mqtt::ConnectionListener
  void on_message(mqtt::Message&& message) override;
  void on_batch_end() override;
  void on_refused(mqtt::Message&& message) override;
  void on_pubrel(std::uint16_t packet_id, mqtt::Receipt receipt) override;
  void on_session_lost() override;
  void on_status(const mqtt::ConnectionStatus& status) override;
  // plugin::InstanceHost
  std::int32_t complete(std::uint64_t token, plugin::Answer answer) override;
  std::int32_t extend(std::uint64_t token, std::uint32_t ms) override;
  std::int32_t publish(const trigger_publish& request, plugin::PublishDone done) override;
  // DeliverySink
  void finished(dispatch::Delivery& delivery, bool idle_next) override;
  void will_retry(const dispatch::Delivery& delivery, std::uint32_t attempts, Millis delay,
                  const std::string& reason) override;
  void put_off(const dispatch::Delivery& delivery, std::uint32_t attempt,
               const std::string& reason) override;
  void unavailable(const std::string& reason, std::uint32_t failures, Millis next) override;
  void available(std::uint32_t failures, Monotonic::duration lasted) override;
  bool bury(dispatch::Delivery& delivery, const std::string& reason) override;
  void discarded(dispatch::Delivery& delivery, const std::string& reason) override;
  void expired(dispatch::Delivery& delivery) override;
  void suspended(const dispatch::Delivery& delivery, const std::string& reason) override;
  void overdue(const dispatch::Delivery& delivery) override;
  void probe_ended(const Result<>& outcome) override;
  void trial_ended(bool handled) override;
  void idle() override;
  void not_brief(Monotonic::duration kept, bool returned) override;
  void stalled(std::size_t late_attempts) override;
  void room_changed() override;

  bool retained_is_wanted(const mqtt::Message& message);
  void remember_retained(const dispatch::Delivery& delivery);
  void publish_dead_letter(const dispatch::Delivery& delivery);
  mutable Mutex pause_mutex_;

  void acknowledge(dispatch::Delivery& delivery, bool idle_next);
  void begin_leaving();
  // Suspended, it receives all the same: its server keeps nothing for it, and nobody else gets what
  // it does not take.
  bool receives_suspended() const;
  // Suspended, and to receive nothing.
  bool rests() const;
  // Why receiving is to pause; empty where it is not.
  std::string pause_reason() const TRIGGERD_REQUIRES(pause_mutex_);
  void update_reading();
  void apply_pause();
  void check_pause();
  void load_backlog();
  void keep_leftovers();
  Result<> set_state(const std::optional<inbox::TriggerState>& state);
  // What comes and goes with a generation.
  struct Serving {
    std::unique_ptr<plugin::Instance> instance;
    std::shared_ptr<Monitor> monitor;
  };
  Result<> start_serving(plugin::Instance& instance, Monitor* monitor);
  Result<std::optional<plugin::SavedState>> stop_serving(plugin::Instance& instance,
                                                         Monotonic deadline);
  Result<> start_service();
  void note_start(const Result<>& started);
  bool destroy_service();
  void tell_running();
  Result<std::shared_ptr<Monitor>> make_monitor(
      const std::shared_ptr<plugin::Generation>& generation);
  void serve_with(Serving serving);
  void serve_again(Monotonic deadline);
  std::string service_name() const;  // [any]
  std::shared_ptr<Monitor> monitor() const;
  bool ask_monitor();
  void arm_monitor();
  void begin_trial();
  std::vector<LogField> fields(const dispatch::Delivery& delivery) const;
  // What does not change while it goes on.
  std::vector<LogField> constant_fields(const dispatch::Delivery& delivery) const;

  void tell_message(const dispatch::Delivery& delivery, const char* verdict,
                    const std::string& reason, std::uint32_t attempt,
                    std::optional<Monotonic::duration> took = std::nullopt);

  const config::Trigger config_;
  const TriggerServices services_;
  Log& log_;
  const bool holds_;  // acknowledgements wait for the dispatcher or the inbox
  dispatch::DeliveryHome home_;
  // The intake's memory is what the dispatcher's messages live in.
  dispatch::Intake intake_;
  dispatch::Dispatcher dispatcher_;
  std::unique_ptr<plugin::Instance> instance_;    // [control]
  bool joined_ = true;                            // [control, main] its workers have come back
  std::vector<dispatch::DeliveryPtr> leftovers_;  // [control, main] what the writer got at the end
  Serving successor_;                             // [control]
  Serving predecessor_;                           // [control]
  std::atomic<bool> can_be_probed_{false};
  mutable Mutex monitor_mutex_;
  std::string service_name_ TRIGGERD_GUARDED_BY(monitor_mutex_);  // of what serves
  const plugin::Instance* counting_ TRIGGERD_GUARDED_BY(monitor_mutex_) = nullptr;
  // Null: the service is asked itself.
  std::shared_ptr<Monitor> monitor_ TRIGGERD_GUARDED_BY(monitor_mutex_);
  std::shared_ptr<mqtt::Connection> connection_;
  bool started_ = false;             // [control]
  std::atomic<bool> serves_{false};  // the same, for others
  unsigned start_failures_ = 0;      // [control] in a row
  bool was_started_ = false;         // [control] before hand_over()

  std::atomic<bool> running_{false};
  std::atomic<bool> suspended_{false};
  std::atomic<bool> disabled_{false};
  std::atomic<bool> disabling_{false};
  std::atomic<bool> trial_needs_message_{false};  // there is none to try: one has to be received
  std::atomic<bool> stopping_{false};
  std::atomic<bool> leaving_{false};
  std::atomic<bool> left_{false};
  std::atomic<std::size_t> replaying_{0};  // given to replay(), and not in the dispatcher yet
  std::atomic<std::uint64_t> arrived_{0};  // one thread counts
  std::atomic<std::uint64_t> refused_{0};  // over max_packet_size
  std::atomic<unsigned> unflushed_{0};  // finished messages whose acknowledgement waits for company
  std::atomic<bool> flush_armed_{false};
  bool may_load_ = false;            // [supervisor] the service has started
  bool backlog_done_ = false;        // [supervisor]
  bool paused_ = false;              // [supervisor] disconnected for it
  bool pause_told_ = false;          // [supervisor]
  std::string not_running_because_;  // [supervisor] as last logged
  mqtt::ConnectionStatus status_;    // [supervisor] as it was told last

  std::string inbox_trouble_ TRIGGERD_GUARDED_BY(pause_mutex_);
  bool reading_paused_ TRIGGERD_GUARDED_BY(pause_mutex_) = false;
  Monotonic paused_since_ TRIGGERD_GUARDED_BY(pause_mutex_){};
  Monotonic::duration paused_before_ TRIGGERD_GUARDED_BY(pause_mutex_){};  // all earlier pauses
  bool check_armed_ TRIGGERD_GUARDED_BY(pause_mutex_) = false;

  std::atomic<std::uint64_t> dead_letters_{0};
  ConnectionWatch watch_;
  TaskGuard tasks_;
  mutable Mutex state_mutex_;
  // As the inbox has it; nullopt: enabled.
  std::optional<inbox::TriggerState> state_ TRIGGERD_GUARDED_BY(state_mutex_);
  std::string start_failure_ TRIGGERD_GUARDED_BY(state_mutex_);
  Monotonic start_failure_told_ TRIGGERD_GUARDED_BY(state_mutex_){};
  // When it was last said that what the service needs is away.
  std::optional<Monotonic> outage_told_ TRIGGERD_GUARDED_BY(state_mutex_);

  Mutex retained_mutex_;
  // With retained = "once": topic -> digest of the payload accepted last.
  std::map<std::string, std::string, std::less<>> retained_seen_
      TRIGGERD_GUARDED_BY(retained_mutex_);
};

}  // namespace triggerd::trigger
