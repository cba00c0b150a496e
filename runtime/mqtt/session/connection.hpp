// One connection to an MQTT server, kept up for as long as its owner wants it: connect, bring the
// subscriptions in line, stay up; after a failure wait and connect again.
//
// Connection is the state machine; what it does in each state is in its parts:
//
//   connection_wishes.hpp    what the owner wants: open, paused, leaving, closing
//   connector.hpp            makes a connection; reconnect_schedule.hpp says where and when,
//                            credentials.hpp has the passwords
//   subscription_sync.hpp    which filters to subscribe to and to unsubscribe from
//   publish_sender.hpp       what is published
//   session_history.hpp      how sessions ended: is the client id taken?
//   failure_reports.hpp      tells of failures without repeating them
//
// Threads. All states belong to the supervisor (an EventLoop), so there is no lock. The public
// functions may be called from any thread, publish() included; but not from a ClientEvents or
// MessageListener.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mqtt/client.hpp"
#include "mqtt/mqtt.hpp"
#include "mqtt/session/connection_context.hpp"
#include "mqtt/session/connection_wishes.hpp"
#include "mqtt/session/connector.hpp"
#include "mqtt/session/credentials.hpp"
#include "mqtt/session/failure_reports.hpp"
#include "mqtt/session/publish_sender.hpp"
#include "mqtt/session/reconnect_schedule.hpp"
#include "mqtt/session/session_history.hpp"
#include "mqtt/session/subscription_sync.hpp"

namespace triggerd::mqtt {

class Connection final : public std::enable_shared_from_this<Connection>,
                         private ClientEvents,
                         private PublishLine {
 public:
  // `listener` outlives the connection.
  static Result<std::shared_ptr<Connection>> make(const ConnectionServices& services,
                                                  ConnectionOptions options,
                                                  ConnectionListener& listener);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Connects, and keeps connected until close().
  void open();
  // Back-pressure: disconnects, and the server keeps the session; resume() connects again.
  void pause(std::string why);
  void resume();
  // Back-pressure for a short while: the connection stays up and is not read from. Reading has to
  // go on before keep_alive runs out, since only what is read shows that the server is there. [any]
  void pause_reading() { client_->pause_reading(); }
  void resume_reading() { client_->resume_reading(); }
  // Writes the acknowledgements that have been released. [any]
  void flush_acknowledgements() { client_->flush_acknowledgements(); }
  // There is new TLS material: soon connects again with it. Where the session is kept nothing is
  // lost: what was published is confirmed first, if the server does that in time.
  void renew();
  // Unsubscribes from every filter and stays connected for what the server still has for them; does
  // not connect again until pause() and resume(). Only for a clean session: one that is kept would
  // miss what is published meanwhile. `done` is called once, on the supervisor, when the server has
  // answered or there is no connection any more.
  void leave(std::function<void()> done);
  // Publishes the on-disconnect payload, disconnects for good, and calls `done` on the supervisor,
  // within about two seconds whatever the server does. The server keeps the session.
  void close(std::function<void()> done);

  // When this succeeds, `done` is called exactly once; when it fails, not at all. What the server
  // does not take yet waits for its turn: see publishes.hpp.
  tl::expected<void, PublishError> publish(const PublishRequest& request, PublishDone done) {
    return publishing_.publish(request, std::move(done));
  }

  const ConnectionOptions& options() const { return context_.options; }
  // When our own certificate expires, where there is one. [any]
  std::optional<Wall> certificate_ends() const;
  // The one in force, which may be the server's wish. [supervisor]
  Millis keep_alive() const { return connector_.keep_alive(); }

 private:
  using State = ConnectionStatus::State;
  // What the MQTT library has of ours, beside a connect under way, which is the connector's.
  enum class Library { idle, connected, disconnecting };

  Connection(const ConnectionServices& services, ConnectionOptions options,
             ConnectionListener& listener);

  // ClientEvents: on the library's threads, and posted to the supervisor. Messages go from the
  // library straight to the listener.
  void on_too_large(Message&& message, std::uint64_t bytes) override;
  void on_connected(ConnectAttempt attempt, ConnAck connack) override;
  void on_connect_failed(ConnectAttempt attempt, int code, std::string why) override;
  void on_lost(ConnectAttempt attempt, std::string why, int code) override;
  void on_subscribed(ConnectAttempt attempt, std::vector<int> codes, std::string why) override;
  void on_unsubscribed(ConnectAttempt attempt, std::vector<int> codes, std::string why) override;
  void on_disconnected(ConnectAttempt attempt) override;
  void on_answers(ConnectAttempt attempt, std::vector<PublishAnswer> answers) override;
  // Posts `task`, to run only while `attempt` is still the current one.
  void post_for(ConnectAttempt attempt, EventLoop::Task task);

  // The rest runs on the supervisor.

  bool send(std::string_view packets, const std::vector<std::size_t>& publishes) override;
  std::size_t unsent() const override { return client_->unsent(); }
  void connect_again(const std::string& why) override { reconnect_because(why); }
  bool ends_unknown_session(const ConnAck& connack);
  void announce_presence(const ConnAck& connack);
  void go_on_line(const ConnAck& connack, std::size_t window);
  void go_off_line();
  void follow_wishes();
  void begin_round();
  void connected(const ConnAck& connack);
  bool keeps_alive_as(const ConnAck& connack);

  void unsubscribe_next();
  void unsubscribed(const std::vector<int>& codes, const std::string& why);
  void subscribe_next();
  void subscribed(const std::vector<int>& codes, const std::string& why);
  void send_or_reconnect(const Result<>& sent, std::string_view answer);
  void went_up();
  void unsubscribe_from_all();
  void go_on_leaving(bool began);

  void lost(const std::string& why, int code);
  void client_id_taken(const std::string& why);
  void wait_and_retry(const std::string& why, Millis delay);
  void look_at_passwords();
  void reconnect_because(const std::string& why);
  void renew_after(Millis delay, Monotonic latest);
  void renew_now(Monotonic latest);

  void begin_disconnect();
  void publish_on_disconnect();
  void disconnect_library();
  void disconnected();
  void enter(State state, std::string reason);

  ConnectionContext context_;
  ConnectionListener& listener_;
  ConnectionWishes wishes_;
  ConnectionStatus status_;  // as the listener knows it
  Library library_ = Library::idle;
  bool on_line_ = false;        // the listener has it as a PublishLine
  bool clean_once_ = false;     // this connection only ends a session that nobody knows
  std::string broken_because_;  // why we end this session ourselves, to begin a new one
  OwnedTimer timer_;            // of the current state
  OwnedTimer password_timer_;
  ReconnectSchedule schedule_;
  SessionHistory history_;
  FailureReports reports_;
  Credentials credentials_;
  Connector connector_;
  SubscriptionSync subscriptions_;
  PublishSender publishing_;
  std::unique_ptr<Client> client_;  // constant after make(); ends before its events' targets
};

}  // namespace triggerd::mqtt
