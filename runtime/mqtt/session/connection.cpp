#include "mqtt/session/connection.hpp"

#include <fmt/format.h>

#include <utility>

#include "base/units.hpp"
#include "mqtt/reason.hpp"
#include "mqtt/tls/material.hpp"

namespace triggerd::mqtt {
namespace {

// How long the server may take for SUBACK or UNSUBACK.
constexpr Millis kAnswerLimit{30'000};
// The library has limits of its own; these catch an answer that never comes.
constexpr Millis kConnectEndLimit{10'000};
constexpr Millis kOnDisconnectLimit{1'000};
constexpr Millis kDisconnectLimit{1'000};
// How often a connection that waits looks for another password.
constexpr Millis kLookAtPassword{2'000};
// Before a connection with new certificates is made, the server has so long to confirm what was
// published.
constexpr Millis kConfirmLimit{2'000};
constexpr Millis kLookAgain{50};

}  // namespace

Connection::Connection(const ConnectionServices& services, ConnectionOptions options,
                       ConnectionListener& listener)
    : context_(services, std::move(options)),
      listener_(listener),
      timer_(context_.tasks),
      password_timer_(context_.tasks),
      schedule_(context_.options.servers, context_.options.reconnect, context_.services.random),
      history_(context_.options.client_id, context_.options.protocol == config::Protocol::v5,
               context_.services.losses),
      reports_(context_.log),
      credentials_(context_.options, context_.log),
      connector_(context_, schedule_, history_, credentials_,
                 {.on_password = [this] { enter(State::connecting, ""); },
                  .on_server =
                      [this](const std::string& server) {
                        status_.server = server;
                        enter(State::connecting, "");
                      },
                  .on_round_failed =
                      [this](const std::string& why) {
                        schedule_.count_failure();
                        wait_and_retry(why, schedule_.delay());
                      }}),
      subscriptions_(context_.options, context_.services.sessions, context_.log),
      publishing_(context_, [this](const std::string& why) {
        if (library_ == Library::connected) reconnect_because(why);
      }) {}

Connection::~Connection() {
  client_.reset();
}

Result<std::shared_ptr<Connection>> Connection::make(const ConnectionServices& services,
                                                     ConnectionOptions options,
                                                     ConnectionListener& listener) {
  std::shared_ptr<Connection> connection(new Connection(services, std::move(options), listener));
  connection->context_.tasks.owned_by(connection);
  auto client = services.make_client(connection->options(), listener, *connection);
  if (!client) return tl::make_unexpected(client.error());
  connection->client_ = std::move(*client);
  connection->connector_.use(*connection->client_);
  connection->publishing_.use(*connection->client_);
  if (connection->options().tls) {
    connection->options().tls->on_change(connection, [raw = connection.get()] { raw->renew(); });
  }
  return connection;
}

std::optional<Wall> Connection::certificate_ends() const {
  return options().tls ? options().tls->get()->not_after() : std::nullopt;
}

// ---- From other threads ----

void Connection::open() {
  context_.tasks.post([this] {
    wishes_.open();
    follow_wishes();
  });
}

void Connection::pause(std::string why) {
  context_.tasks.post([this, why = std::move(why)] {
    wishes_.pause(why);
    follow_wishes();
  });
}

void Connection::resume() {
  context_.tasks.post([this] {
    wishes_.resume();
    follow_wishes();
  });
}

void Connection::leave(std::function<void()> done) {
  context_.tasks.post([this, done = std::move(done)] { go_on_leaving(wishes_.leave(done)); });
}

void Connection::close(std::function<void()> done) {
  context_.tasks.post([this, done = std::move(done)] {
    wishes_.close(done);
    follow_wishes();
  });
}

void Connection::renew() {
  context_.tasks.post([this] {
    // All connections of an alias hear of it at once; their server need not see them all at once.
    const auto spread = std::chrono::duration_cast<Millis>(
        std::chrono::duration<double, std::milli>(options().reconnect.min) *
        context_.services.random());
    renew_after(spread, context_.now() + spread + kConfirmLimit);
  });
}

void Connection::on_too_large(Message&& message, std::uint64_t bytes) {
  context_.log.warn("message.refused",
                    "message on \"{}\" has {} bytes, over max_packet_size ({}): refused",
                    message.topic, bytes, format_size(options().max_packet_size));
  listener_.on_refused(std::move(message));
}

void Connection::on_connected(ConnectAttempt attempt, ConnAck connack) {
  context_.tasks.post([this, attempt, connack] {
    if (connector_.attempt() == attempt) {
      connected(connack);
    } else {
      (void)client_->disconnect(attempt);  // nobody waits for it any more
    }
  });
}

void Connection::on_connect_failed(ConnectAttempt attempt, int code, std::string why) {
  post_for(attempt, [this, code, why = std::move(why)] {
    if (library_ == Library::disconnecting) {
      disconnected();
    } else {
      connector_.failed(code, why);
    }
  });
}

void Connection::on_lost(ConnectAttempt attempt, std::string why, int code) {
  publishing_.disconnected();
  post_for(attempt, [this, why = std::move(why), code] { lost(why, code); });
}

void Connection::on_subscribed(ConnectAttempt attempt, std::vector<int> codes, std::string why) {
  post_for(attempt,
           [this, codes = std::move(codes), why = std::move(why)] { subscribed(codes, why); });
}

void Connection::on_unsubscribed(ConnectAttempt attempt, std::vector<int> codes, std::string why) {
  post_for(attempt,
           [this, codes = std::move(codes), why = std::move(why)] { unsubscribed(codes, why); });
}

void Connection::on_disconnected(ConnectAttempt attempt) {
  post_for(attempt, [this] { disconnected(); });
}

void Connection::on_answers(ConnectAttempt attempt, std::vector<PublishAnswer> answers) {
  post_for(attempt, [this, answers = std::move(answers)] {
    if (on_line_) listener_.on_answers(answers);
  });
}

void Connection::post_for(ConnectAttempt attempt, EventLoop::Task task) {
  context_.tasks.post([this, attempt, task = std::move(task)] {
    if (connector_.attempt() == attempt) task();
  });
}

// ---- Connecting ----

void Connection::follow_wishes() {
  if (library_ == Library::disconnecting) return;  // disconnected() comes back here
  if (wishes_.connect()) {
    if (status_.state == State::off) begin_round();
  } else if (status_.state != State::off) {
    begin_disconnect();
  } else if (wishes_.closing()) {
    wishes_.report_closed();
  }
}

void Connection::begin_round() {
  // A server that was restarted may be restarted again: we come back as soon each time.
  if (history_.was_loss_of_all()) schedule_.forget_failures();
  connector_.begin_round();
}

void Connection::connected(const ConnAck& connack) {
  if (library_ == Library::disconnecting) {  // given up while CONNACK was on its way
    disconnect_library();
    return;
  }
  if (!connector_.accepted()) return;
  library_ = Library::connected;
  reports_.connected();
  history_.began(connector_.where(), context_.now());
  publishing_.connected(connack.receive_maximum);
  context_.log.info("connection.up", "connected to {}{}", connector_.where(),
                    connack.session_present ? ", session resumed" : "");
  if (!keeps_alive_as(connack) || ends_unknown_session(connack)) return;
  if (connack.session_expiry && *connack.session_expiry < options().session_expiry) {
    context_.log.warn("session.shorter", "{} keeps the session for {} instead of {}",
                      status_.server, format_duration(*connack.session_expiry),
                      format_duration(options().session_expiry));
  }
  if (subscriptions_.begin(status_.server, connack.session_present)) ++status_.sessions_lost;
  announce_presence(connack);
  enter(State::subscribing, "");
  if (subscriptions_.has_stale()) {
    unsubscribe_next();
  } else {
    subscribe_next();
  }
}

// ---- What is published without the library ----

// In a session of somebody else, or of an inbox that is gone, the server may hold packet ids of QoS
// 2 messages, and take ours for repetitions. A clean session ends it. True: another connection
// comes.
bool Connection::ends_unknown_session(const ConnAck& connack) {
  if (!options().keeps_publishes) return false;
  const bool ended = std::exchange(clean_once_, false);
  clean_once_ =
      !ended && connack.session_present && !context_.services.sessions.is_known(options());
  connector_.make_clean(clean_once_);
  if (clean_once_) reconnect_because("ending a session that is not known here, to begin another");
  if (ended) reconnect_because("beginning another session");
  return ended || clean_once_;
}

// The on-connect payload, and from when on an outbox may publish: the payload has a place of the
// window.
void Connection::announce_presence(const ConnAck& connack) {
  const auto& will = options().last_will;
  const bool announces = will && will->on_connect_payload;
  const bool takes_all = announces && will->qos > 0 && publishing_.window() == 1;
  const bool waits = options().keeps_publishes && takes_all;
  if (announces) {
    const ConnectAttempt attempt = connector_.attempt();
    publishing_.publish_presence(
        *will->on_connect_payload,
        context_.tasks.guarded([this, attempt, connack, waits](const Result<>&) {
          if (!waits) return;
          post_for(attempt, [this, connack] { go_on_line(connack, 1); });
        }));
  }
  if (!options().keeps_publishes || waits) return;
  const bool has_place = announces && will->qos > 0;
  go_on_line(connack, publishing_.window() - (has_place ? 1 : 0));
}

void Connection::go_on_line(const ConnAck& connack, std::size_t window) {
  if (library_ != Library::connected || on_line_) return;
  on_line_ = true;
  listener_.on_line(*this, {.session_present = connack.session_present,
                            .v5 = options().protocol == config::Protocol::v5,
                            .window = window,
                            .limits = connack.limits});
}

void Connection::go_off_line() {
  if (std::exchange(on_line_, false)) listener_.off_line(*this);
}

bool Connection::send(std::string_view packets, const std::vector<std::size_t>& publishes) {
  return library_ == Library::connected && client_->send(packets, publishes);
}

// The library pings as often as it was told when it connected. False: it connects again, so that it
// can be told what the server wants (MQTT 5.0, section 3.2.2.3.14).
bool Connection::keeps_alive_as(const ConnAck& connack) {
  if (!connack.keep_alive || *connack.keep_alive == std::chrono::seconds(0)) return true;
  const Millis ours = keep_alive();
  if (ours > Millis(0) && ours <= *connack.keep_alive) return true;
  connector_.set_keep_alive(*connack.keep_alive);
  reconnect_because(fmt::format("reconnecting with the keep_alive that it requires, {}",
                                format_duration(keep_alive())));
  return false;
}

// ---- Subscribing ----

void Connection::unsubscribe_next() {
  send_or_reconnect(client_->unsubscribe(connector_.attempt(), subscriptions_.next_unsubscribe()),
                    "UNSUBACK");
}

void Connection::unsubscribed(const std::vector<int>& codes, const std::string& why) {
  if (library_ != Library::connected || !subscriptions_.unsubscribed(codes, why)) return;
  timer_.cancel();
  if (subscriptions_.has_stale()) {
    unsubscribe_next();
  } else if (wishes_.leaving()) {
    wishes_.report_left();
  } else {
    subscribe_next();
  }
}

void Connection::subscribe_next() {
  const std::vector<config::Topic> topics = subscriptions_.next_subscribe();
  if (topics.empty()) {
    went_up();
  } else {
    send_or_reconnect(client_->subscribe(connector_.attempt(), topics), "SUBACK");
  }
}

void Connection::subscribed(const std::vector<int>& codes, const std::string& why) {
  if (library_ != Library::connected || !subscriptions_.awaits_suback()) return;
  // The library gave up: the end of the connection follows, or the limit of the answer is reached.
  if (codes.empty()) return;
  timer_.cancel();
  if (const auto fits = subscriptions_.subscribed(codes, why); !fits) {
    reconnect_because(fits.error().message);
  } else {
    subscribe_next();
  }
}

// The wait for an answer has a limit. A request that could not even leave is a broken connection.
void Connection::send_or_reconnect(const Result<>& sent, std::string_view answer) {
  if (!sent) {
    reconnect_because(sent.error().message);
    return;
  }
  timer_.set(kAnswerLimit, [this, answer] {
    reconnect_because(fmt::format("no {} within {}", answer, format_duration(kAnswerLimit)));
  });
}

void Connection::went_up() {
  std::string refused = subscriptions_.refusals();
  if (!refused.empty()) {
    timer_.set(options().reconnect.max, [this] {
      if (wishes_.leaving()) return;
      subscriptions_.retry_refused();
      subscribe_next();
    });
    refused = fmt::format("{} refused the subscription to {}", status_.server, refused);
  }
  enter(State::up, refused);
  if (wishes_.leaving() && wishes_.awaits_left() && !subscriptions_.has_stale()) {
    unsubscribe_from_all();
  }
}

// ---- Leaving: a member of a shared group that merely stops reading is sent messages all the same,
// and they are lost with its clean session. So it unsubscribes first. ----

// `began`: it was not leaving before.
void Connection::go_on_leaving(bool began) {
  if (status_.state == State::up) {
    if (began) {
      unsubscribe_from_all();
    } else if (!subscriptions_.has_stale()) {
      wishes_.report_left();
    }
  } else if (status_.state == State::off) {
    wishes_.report_left();
  } else if (status_.state != State::subscribing) {  // went_up() goes on from there
    follow_wishes();
  }
}

void Connection::unsubscribe_from_all() {
  timer_.cancel();
  subscriptions_.unsubscribe_from_all();
  unsubscribe_next();
}

// ---- Losing it, and connecting again ----

void Connection::lost(const std::string& why, int code) {
  if (library_ == Library::disconnecting) {
    disconnected();
    return;
  }
  if (library_ != Library::connected) return;
  timer_.cancel();
  library_ = Library::idle;
  publishing_.disconnected();
  go_off_line();
  history_.lost(context_.now());
  publishing_.fail_all("the connection was lost before the server confirmed it");
  if (wishes_.leaving()) {
    enter(State::off, "the connection was lost");
    wishes_.report_left();
    return;
  }
  const std::string request = subscriptions_.unanswered_request();
  const bool said = code >= 0 || !why.empty();
  // When it is we who have ended it, the server has said nothing about what was asked.
  const bool fewer = (code >= 0 || why.empty()) && subscriptions_.ask_for_fewer(code);
  if (!fewer && history_.count_short(!request.empty(), context_.now())) {
    schedule_.count_failure();
  } else {
    schedule_.count_first_failure();
  }
  if (code == kReasonSessionTakenOver) {
    client_id_taken("ended the connection: " + reason_text(code, why));
    return;
  }
  if (!said && request.empty() && history_.seems_taken()) {
    client_id_taken(fmt::format("ended the connection {} times in a row soon after accepting it",
                                history_.short_sessions()));
    return;
  }
  std::string text = said ? fmt::format("{}: connection closed: {}", status_.server,
                                        code >= 0 ? reason_text(code, why) : why)
                          : fmt::format("{} ended the connection", status_.server);
  if (!request.empty()) text += (said ? ", when it was " : " when ") + request;
  if (fewer) {
    text += fmt::format("; from now on asking for at most {} at once",
                        subscriptions_.filters_per_packet());
  }
  wait_and_retry(text, schedule_.delay());
}

// Whoever took the client id reconnects as we do: two that insist would take turns for ever.
void Connection::client_id_taken(const std::string& why) {
  context_.log.error("connection.client_id_taken",
                     "{} {}: another client seems to use client id \"{}\"; give one of them "
                     "another client_id",
                     status_.server, why, options().client_id);
  wait_and_retry(
      fmt::format("client id \"{}\" seems to be taken by another client", options().client_id),
      options().reconnect.max);
}

void Connection::wait_and_retry(const std::string& why, Millis delay) {
  enter(State::waiting, why);
  reports_.failed(why, delay, context_.now());
  timer_.set(delay, [this] { begin_round(); });
  look_at_passwords();
}

// The password may be what was refused: once its file holds another one, there is no reason to wait
// any longer.
void Connection::look_at_passwords() {
  password_timer_.cancel();
  if (status_.state != State::waiting) return;
  if (const auto file = credentials_.changed_file()) {
    context_.log.info("password.changed", "{} has changed: connecting with the new password",
                      file->string());
    // Not at once: a file that changes all the time must not make us hammer the server.
    timer_.set(options().reconnect.min, [this] { begin_round(); });
    return;
  }
  if (credentials_.in_files()) {
    password_timer_.set(kLookAtPassword, [this] { look_at_passwords(); });
  }
}

void Connection::reconnect_because(const std::string& why) {
  broken_because_ = fmt::format("{}: {}", status_.server, why);
  begin_disconnect();
}

// ---- New certificates: the connection there is goes on with those it began with, so it is ended
// in good order and made again. The server keeps the session, and what comes meanwhile. ----

void Connection::renew_after(Millis delay, Monotonic latest) {
  context_.tasks.after(delay, [this, latest] { renew_now(latest); });
}

void Connection::renew_now(Monotonic latest) {
  if (!wishes_.connect() || connector_.material() == options().tls->get()) return;
  if (status_.state == State::waiting) {
    timer_.cancel();
    begin_round();
    return;
  }
  const bool confirmed = publishing_.idle() || context_.now() >= latest;
  if (status_.state != State::up || !confirmed) {
    renew_after(kLookAgain, latest);
    return;
  }
  context_.log.info("connection.renewing", "reconnecting to {} with new certificates",
                    status_.server);
  client_->flush_acknowledgements();
  begin_disconnect();
}

// ---- Ending it ----

void Connection::begin_disconnect() {
  timer_.cancel();
  const bool was_connected = library_ == Library::connected;
  const bool was_connecting = !was_connected && connector_.stop();
  go_off_line();
  if (was_connected) history_.ended_by_us();
  library_ = Library::disconnecting;
  enter(State::off, wishes_.reason());
  if (was_connecting) {
    // The library cannot take a connect back: connected() or connect_failed() goes on from here.
    timer_.set(wishes_.closing() ? kDisconnectLimit : kConnectEndLimit, [this] { disconnected(); });
  } else if (!was_connected) {
    disconnected();
  } else if (wishes_.closing() && options().last_will &&
             options().last_will->on_disconnect_payload) {
    publish_on_disconnect();
  } else {
    disconnect_library();
  }
}

void Connection::publish_on_disconnect() {
  publishing_.fail_waiting("it was not sent: the connection is being closed");
  timer_.set(kOnDisconnectLimit, [this] { disconnect_library(); });
  const ConnectAttempt attempt = connector_.attempt();
  publishing_.publish_presence(*options().last_will->on_disconnect_payload,
                               context_.tasks.guarded([this, attempt](const Result<>&) {
                                 post_for(attempt, [this] {
                                   if (library_ == Library::disconnecting) disconnect_library();
                                 });
                               }));
}

void Connection::disconnect_library() {
  timer_.cancel();
  publishing_.disconnected();
  if (!client_->disconnect(connector_.attempt())) {
    disconnected();
    return;
  }
  timer_.set(kDisconnectLimit, [this] { disconnected(); });
}

void Connection::disconnected() {
  if (library_ != Library::disconnecting) return;
  timer_.cancel();
  library_ = Library::idle;
  publishing_.disconnected();
  connector_.forget_attempt();
  publishing_.fail_all("the connection was closed before the server confirmed it");
  wishes_.report_left();
  const std::string broken = std::exchange(broken_because_, {});
  if (!broken.empty() && wishes_.connect()) {
    schedule_.count_failure();
    wait_and_retry(broken, schedule_.delay());
  } else {
    follow_wishes();
  }
}

void Connection::enter(State state, std::string reason) {
  status_.state = state;
  status_.reason = std::move(reason);
  if (state == State::up || state == State::subscribing) {
    status_.grants = subscriptions_.grants();
  } else {
    status_.grants.clear();
  }
  listener_.on_status(status_);
}

}  // namespace triggerd::mqtt
