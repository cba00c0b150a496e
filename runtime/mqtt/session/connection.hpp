// The state machine of one connection: look up, connect, unsubscribe what is stale, subscribe, stay
// up; and after a failure the next address, the next server, or a wait with jittered backoff and
// then the first server again. Its parts between CONNACK and up are in connection_session.cpp,
// those for the end of a clean session in connection_leave.cpp, those for new certificates in
// connection_renew.cpp, those that publish in connection_publish.cpp, and what happens between two
// attempts in connection_retry.cpp.
//
// All states belong to the supervisor (an EventLoop). The public functions may be called from any
// thread, publish() included; but not from a ClientEvents or ConnectionListener::on_message.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/backoff.hpp"
#include "base/event_loop.hpp"
#include "base/log.hpp"
#include "mqtt/client.hpp"
#include "mqtt/mqtt.hpp"
#include "mqtt/publishes.hpp"
#include "mqtt/session/losses.hpp"
#include "mqtt/session/resolver.hpp"

namespace triggerd::mqtt {

// What all connections of a runtime share. Outlives them.
struct ConnectionServices {
  std::shared_ptr<EventLoop> supervisor;
  Resolver& resolver;
  ClientFactory make_client;
  SessionMemory& sessions;
  Random random;
  Log& log;
  std::shared_ptr<Losses> losses = std::make_shared<Losses>();
};

class Connection final : public std::enable_shared_from_this<Connection>, private ClientEvents {
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
  // Back-pressure: disconnects and keeps the session at the server; resume() connects again.
  void pause(std::string why);
  void resume();
  // Back-pressure for a short while: the connection stays up and is not read from. It has to go on
  // before keep_alive runs out, which only reading answers. [any]
  void pause_reading() { client_->pause_reading(); }
  void resume_reading() { client_->resume_reading(); }
  // Writes the acknowledgements that have been released. [any]
  void flush_acknowledgements() { client_->flush_acknowledgements(); }
  // There is new TLS material: connects again with it, soon, and without losing anything where the
  // session is kept: what is published is confirmed first, where the server does that in time.
  void renew();
  // Unsubscribes from every filter and stays connected, for what the server still has for them;
  // does not connect again until pause() and resume(). Only for a clean session: one that is kept
  // would miss what is published meanwhile. `done` is called on the supervisor, once, when the
  // server has answered, or there is no connection any more.
  void leave(std::function<void()> done);
  // Publishes the on-disconnect payload, disconnects, and calls `done` on the supervisor; for good.
  // The session stays at the server. `done` comes within about two seconds, whatever the server
  // does.
  void close(std::function<void()> done);

  // `done` is called exactly once where this succeeds, and not at all where it does not. What the
  // server does not take yet waits for its turn: see publishes.hpp.
  tl::expected<void, PublishError> publish(const PublishRequest& request, PublishDone done);

  const ConnectionOptions& options() const { return options_; }
  // When our own certificate ends, where there is one. [any]
  std::optional<Wall> certificate_ends() const;
  // The one in force, which may be the server's wish. [supervisor]
  Millis keep_alive() const { return keep_alive_; }

 private:
  using State = ConnectionStatus::State;
  // Where the MQTT library stands with the current attempt.
  enum class Library { idle, connecting, connected, disconnecting };

  Connection(const ConnectionServices& services, ConnectionOptions options,
             ConnectionListener& listener);

  // ClientEvents: on the library's threads; everything but messages is posted to the supervisor.
  void on_message(Message&& message) override { listener_.on_message(std::move(message)); }
  void on_too_large(Message&& message, std::uint64_t bytes) override;
  void on_batch_end() override { listener_.on_batch_end(); }
  void on_pubrel(std::uint16_t packet_id, Receipt receipt) override {
    listener_.on_pubrel(packet_id, std::move(receipt));
  }
  void on_session_lost() override { listener_.on_session_lost(); }
  void on_connected(Attempt attempt, Welcome welcome) override;
  void on_connect_failed(Attempt attempt, int code, std::string why) override;
  void on_lost(Attempt attempt, std::string why, int code) override;
  void on_subscribed(Attempt attempt, std::vector<int> codes, std::string why) override;
  void on_unsubscribed(Attempt attempt, std::vector<int> codes, std::string why) override;
  void on_disconnected(Attempt attempt) override;

  // Posts `task`, to run only while `attempt` is still the current one.
  void post_for(Attempt attempt, std::function<void(Connection&)> task);
  void post(std::function<void(Connection&)> task);

  // Which server, and through which proxy.
  std::string where() const;

  // The rest runs on the supervisor.
  bool should_connect() const { return wanted_ && !paused_ && !closing_ && !leaving_; }
  void apply_wish();
  void begin_round();
  void next_server();
  void next_address();
  void connect();
  void library_is_silent();
  void connect_failed(int code, const std::string& why);
  void address_failed(const std::string& why);
  std::string refusal_text(int code, const std::string& why) const;
  void connected(const Welcome& welcome);
  bool keeps_alive_as(const Welcome& welcome);
  void compare_session(bool session_present);
  std::vector<std::string> wanted_filters() const;
  void unsubscribe_next();
  void unsubscribed(const std::vector<int>& codes, const std::string& why);
  void begin_leaving();
  void unsubscribe_all();
  void tell_left();
  void subscribe_next();
  void subscribed(const std::vector<int>& codes, const std::string& why);
  std::vector<std::size_t> asked_too_many(const std::vector<std::size_t>& asked,
                                          const std::vector<int>& codes);
  std::string unanswered_request() const;
  bool ask_for_fewer(int code);
  void send_or_reconnect(const Result<>& sent, std::string_view answer);
  void went_up();
  void retry_refused();
  void lost(const std::string& why, int code);
  void end_of_session(const std::string& request, bool fewer);
  bool seems_taken() const;
  void look_at_last_loss();
  void client_id_taken(const std::string& why);
  void reconnect_because(const std::string& why);
  void renew_after(Millis delay, Monotonic latest);
  void renew_now(Monotonic latest);
  void wait_and_retry(const std::string& why, Millis delay);
  struct KeptPassword;
  const config::Secret& read_again(KeptPassword& password);
  void look_at_passwords();
  void begin_disconnect();
  void say_goodbye();
  void disconnect_library();
  void disconnected();
  void finish_close();

  // connection_publish.cpp. Those without "[supervisor]" run on any thread.
  std::size_t window(const Welcome& welcome) const;
  Result<> hand_over(std::uint64_t number, const PublishRequest& request);
  tl::expected<void, PublishError> send(std::uint64_t number, const PublishRequest& request);
  void send_waiting();        // [supervisor]
  void send_waiting_later();  // where there is something to send
  void watch_waiting();       // where nobody does yet
  void look_at_waiting();     // [supervisor]
  void publish_presence(const std::string& payload, PublishDone done);
  void enter(State state, std::string reason);
  void arm(Millis delay, std::function<void(Connection&)> task);
  void disarm();

  const ConnectionServices services_;
  const ConnectionOptions options_;
  ConnectionListener& listener_;
  Log& log_;
  const std::vector<LogField> fields_;
  std::unique_ptr<Client> client_;  // constant after make()

  // Owned by the supervisor.
  bool wanted_ = false;
  bool paused_ = false;
  bool closing_ = false;
  bool leaving_ = false;
  std::string pause_reason_;
  std::vector<std::function<void()>> leave_done_;
  std::vector<std::function<void()>> close_done_;
  ConnectionStatus status_;
  Attempt attempt_ = 0;
  Library library_ = Library::idle;
  EventLoop::TimerId timer_{};

  std::size_t next_server_ = 0;
  const config::Server* server_ = nullptr;
  std::vector<std::string> addresses_;  // of *server_, still to be tried
  std::string address_;                 // the one being tried
  tls::MaterialPtr material_;           // of the current attempt
  std::optional<config::Proxy> proxy_;  // of the current attempt, with what its file holds
  std::vector<std::string> failures_;   // of this round, one line each
  struct KeptPassword {
    std::filesystem::path file;  // empty: it is in no file
    config::Secret value;        // the last that could be read
    std::string look;            // of its file, when that was read
    std::string problem;         // why it could not be read again
  };
  KeptPassword password_;
  KeptPassword proxy_password_;
  EventLoop::TimerId password_timer_{};
  std::uint32_t failed_rounds_ = 0;
  std::uint32_t short_sessions_ = 0;  // in a row, each ended soon after it began, by itself
  std::shared_ptr<const Losses::Burst> last_loss_;
  std::string last_failure_;  // empty: it was up since
  Monotonic failure_told_{};
  Monotonic failing_since_{};
  std::string broken_because_;  // why we end this session ourselves, to begin a new one
  Millis keep_alive_;           // the server's wish where it has one (MQTT 5)
  Monotonic connect_began_{};
  Monotonic connected_since_{};

  std::vector<std::string> stale_;         // filters to unsubscribe: all of them while it leaves
  std::vector<std::size_t> to_subscribe_;  // indices into options_.topics, not yet asked for
  std::vector<std::size_t> asked_;         // in the SUBSCRIBE under way
  std::size_t unsubscribing_ = 0;          // how many of the last of stale_ are asked for
  std::size_t filters_per_packet_;         // that the server takes, as far as is known

  std::atomic<bool> can_publish_{false};
  Publishes publishes_;
  std::atomic<bool> watching_waiting_{false};
};

}  // namespace triggerd::mqtt
