// trigger/: one trigger.
//
//   trigger.hpp              composes the parts below, and leads them through the stages of a life
//   service_slot.hpp         what serves it, and how another build takes over
//   service_host.hpp         what its service may ask for
//   monitor.hpp              the service that says when a suspended trigger may go on
//   trigger_state.hpp        enabled, suspended or disabled
//   recovery.hpp             how a suspended trigger finds out that it may go on
//   receive_control.hpp      back-pressure
//   retained_filter.hpp      which retained messages it takes
//   backlog_loader.hpp       what earlier processes accepted
//   running_report.hpp       whether it runs
//   connection_watch.hpp     the state of its connection, for status
//   publisher.hpp            what services publish, by alias
//   draining.hpp             triggers that stop together
//   delivery_reporter.hpp    log lines and events about its messages
//   dead_letter_writer.hpp   rows and copies of dead letters
//   ack_flusher.hpp          acknowledgements that leave together
//
// A message comes in at Trigger::on_message (on the receive thread) and waits in the dispatcher,
// which tells the DeliverySink half of Trigger what has become of it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "base/task_guard.hpp"
#include "config/trigger.hpp"
#include "dispatch/dispatcher.hpp"
#include "dispatch/intake.hpp"
#include "management/status.hpp"
#include "mqtt/session/connection.hpp"
#include "plugin/plugin.hpp"
#include "trigger/ack_flusher.hpp"
#include "trigger/backlog_loader.hpp"
#include "trigger/connection_watch.hpp"
#include "trigger/dead_letter_writer.hpp"
#include "trigger/delivery_reporter.hpp"
#include "trigger/draining.hpp"
#include "trigger/publisher.hpp"
#include "trigger/receive_control.hpp"
#include "trigger/recovery.hpp"
#include "trigger/retained_filter.hpp"
#include "trigger/running_report.hpp"
#include "trigger/service_host.hpp"
#include "trigger/service_slot.hpp"
#include "trigger/trigger_services.hpp"
#include "trigger/trigger_state.hpp"

namespace triggerd::trigger {

// It has no lock of its own: its parts have theirs, and it calls them with none held.
class Trigger final : public Draining,
                      private mqtt::ConnectionListener,
                      private Receiver,
                      private dispatch::DeliverySink {
 public:
  Trigger(const config::Trigger& config, const TriggerServices& services);
  ~Trigger() override;
  Trigger(const Trigger&) = delete;
  Trigger& operator=(const Trigger&) = delete;

  // Makes the instance. A running trigger of that name is unaffected. [control]
  // `monitor` is the plugin of the trigger's monitor service; null if it has none.
  Result<> make_service(const std::shared_ptr<plugin::Generation>& generation,
                        const std::shared_ptr<plugin::Generation>& monitor);
  // The same for instances of any origin; `monitor` may be empty.
  Result<> make_service(const MakeInstance& service, const MakeInstance& monitor);
  // Reads what the inbox has for it, and makes its connection, once there is no other trigger of
  // that name. [control]
  Result<> make_connection(mqtt::ConnectionOptions options);
  // Makes the connection receive: what comes before the service runs waits for it. [control]
  void begin_receiving();
  // The same, and starts the service and its workers. After an error it keeps receiving, and
  // start_later() was called. [control]
  Result<> start();

  // The stages of stopping, each for all triggers before the next. [control, main]
  // 1. Receives nothing more, but stays connected, for the acknowledgements. One with a clean
  //    session unsubscribes instead, and receives what the server still has for it.
  void stop_receiving();
  // 2. Is drained, with others: see draining.hpp.
  bool drain(Monotonic deadline, Monotonic pause) override;
  bool leaving() const override { return stage_.leaving; }
  bool left() const override { return stage_.left; }
  void end_leaving() override;
  std::uint64_t arrived() const override { return counts_.arrived.load(std::memory_order_relaxed); }
  void flush_acknowledgements() override { acks_.flush(); }
  // 3. Disconnects, and keeps the session; `closed` is called on the supervisor.
  void close(std::function<void()> closed);
  // 4. Asks its workers to end, and does not wait.
  void end_workers() { slot_.end_workers(); }
  // 5. Waits for them. No service is stopped before the workers of all are gone: each looks through
  //    the threads of the process for those that it has left running.
  void join_workers(Monotonic deadline) { slot_.join_workers(deadline); }
  // 6. Stops and destroys the service, and gives the writer what is left and nobody else has.
  //    False: a service call does not return, so the plugin stays in memory and only the end of
  //    the process ends it.
  [[nodiscard]] bool finish(Monotonic deadline);
  // 7. Logs what became of that, after the writer was flushed.
  void report_unfinished(bool written);
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
  // Starts its service if it did not start before. [control]
  Result<> start_again();
  // Gives the service a message that was a dead letter. [any]
  void replay(const inbox::StoredMessage& message);
  // Whether one more fits in queue_capacity. [any]
  bool may_replay() const { return dispatcher_.room() > counts_.replaying; }

  // ---- Another generation of a plugin: see control/plugins/plugin_reloader.hpp. [control] ----

  bool uses(const plugin::Generation& generation) const;  // its service or its monitor
  // Makes the successors, of `next`, of what is of `old`. They are not started yet.
  Result<> make_successor(const plugin::Generation& old,
                          const std::shared_ptr<plugin::Generation>& next);
  void drop_successor() { slot_.drop_successor(); }
  // Between these two, the service gets no message. False: it still has one at `deadline`.
  [[nodiscard]] bool quiesce(Monotonic deadline) { return dispatcher_.quiesce(deadline); }
  void unquiesce() { dispatcher_.unquiesce(); }
  // Takes back what the service has not completed; it gets these messages again.
  void revoke_pending() { dispatcher_.revoke_pending(); }
  // While quiesced: stops what serves, hands its state over if `with_state`, starts the
  // successor. After an error it is as before.
  Result<> hand_over(Monotonic deadline, bool with_state);
  // While quiesced: the predecessor serves again.
  void take_back(Monotonic deadline) { slot_.take_back(deadline); }
  void forget_predecessor() { slot_.forget_predecessor(); }

  // What its service needs may be back. [any]
  void try_now() { dispatcher_.try_now(); }

  // The inbox cannot take messages, for this reason; or can again. [any]
  void inbox_trouble(const std::optional<std::string>& reason);

  const std::string& name() const { return config_.name; }
  bool is_disabled() const { return state_.disabled(); }  // or is being disabled [any]
  // Connected, every filter granted, not suspended. [any]
  bool running() const { return running_.running(); }
  dispatch::Dispatcher::Stats stats() const { return dispatcher_.stats(); }
  std::optional<Monotonic> keeps_receiver_since() const { return dispatcher_.inline_since(); }
  const config::Trigger& config() const { return config_; }
  // Once there is one. [any]
  management::ConnectionView connection_view() const { return watch_.view(connection_->options()); }
  const mqtt::ConnectionOptions& connection_options() const { return connection_->options(); }
  // All of its status that it knows itself: nothing of the inbox, and no definition. [any]
  void fill_in(management::TriggerStatus& status) const;
  std::size_t acks_held() const;  // that wait for the service or the disk [any]
  // Whether one with this key would be a duplicate now. [any]
  bool was_handled(const inbox::MessageKey& key) const { return dispatcher_.was_handled(key); }
  std::vector<plugin::Metric> metrics() const { return slot_.metrics(); }

 private:
  // mqtt::ConnectionListener
  void on_message(mqtt::Message&& message) override;
  void on_batch_end() override;
  void on_refused(mqtt::Message&& message) override;
  void on_pubrel(std::uint16_t packet_id, mqtt::Receipt receipt) override;
  void on_session_lost() override;
  void on_status(const mqtt::ConnectionStatus& status) override;
  // Receiver
  void pause_reading() override { connection_->pause_reading(); }
  void resume_reading() override { connection_->resume_reading(); }
  void disconnect(const std::string& why) override { connection_->pause(why); }
  void connect() override { connection_->resume(); }
  Millis keep_alive() const override { return connection_->keep_alive(); }
  bool clean_session() const override { return connection_->options().clean_session; }
  // DeliverySink
  void finished(dispatch::Delivery& delivery, bool idle_next) override;
  bool write_dead_letter(dispatch::Delivery& delivery, const std::string& reason) override;
  void on_event(const dispatch::DispatchEvent& event) override;
  void idle() override;
  void room_changed() override;

  void on_suspended(const dispatch::event::Suspended& event);
  void on_half_open_ended(bool handled);
  void note_attempts(const dispatch::Delivery& delivery, std::uint32_t attempts);
  void remember_retained(const dispatch::Delivery& delivery);
  void acknowledge(dispatch::Delivery& delivery, bool idle_next);

  ServiceSlot::Events slot_events();
  Recovery::Steps recovery_steps();
  void begin_leaving();
  // Whether that is in effect: not while messages in flight are still being finished. [any]
  bool disabled() const { return state_.disabled() && !stage_.disabling; }
  // It receives even while it is suspended: its server keeps nothing for it, and nobody else gets
  // what it does not take.
  bool receives_suspended() const;
  // Suspended, and to receive nothing.
  bool rests() const;
  ReceiveControl::Wish receive_wish() const;
  RunningReport::Facts running_facts() const;
  void keep_unfinished();
  void resume_after_recovery();
  void store_state_later();
  Result<std::shared_ptr<Monitor>> make_monitor(const MakeInstance& make);

  const config::Trigger config_;
  const TriggerServices services_;
  Log& log_;
  const bool holds_;  // acknowledgements wait for the dispatcher or the inbox
  TaskGuard tasks_;
  dispatch::DeliveryHome home_;
  DeliveryReporter reporter_;
  DeadLetterWriter dead_letters_;
  AckFlusher acks_;
  // The dispatcher's messages live in the intake's memory.
  dispatch::Intake intake_;
  dispatch::Dispatcher dispatcher_;
  RetainedFilter retained_;
  TriggerState state_;
  Recovery recovery_;
  ReceiveControl receive_;
  BacklogLoader backlog_;
  RunningReport running_;
  ConnectionWatch watch_;
  ServiceHost host_;
  ServiceSlot slot_;
  std::shared_ptr<mqtt::Connection> connection_;

  // The stage of its life. [any]
  struct Stage {
    std::atomic<bool> disabling{false};  // what is in flight is being finished
    std::atomic<bool> stopping{false};
    std::atomic<bool> leaving{false};  // a clean session unsubscribes
    std::atomic<bool> left{false};     // its server has answered
  };
  struct Counts {                           // of messages [any]
    std::atomic<std::size_t> replaying{0};  // given to replay(), and not in the dispatcher yet
    std::atomic<std::uint64_t> arrived{0};  // one thread counts
    std::atomic<std::uint64_t> refused{0};  // over max_packet_size
  };
  Stage stage_;
  Counts counts_;
  // There is no message for a half-open attempt: one has to be received. [any]
  std::atomic<bool> half_open_needs_message_{false};
  std::vector<dispatch::DeliveryPtr> unfinished_;  // [control, main] what the writer got at the end
};

}  // namespace triggerd::trigger
