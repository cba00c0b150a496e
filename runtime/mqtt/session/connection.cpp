#include "mqtt/session/connection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/file.hpp"
#include "base/units.hpp"
#include "mqtt/reason.hpp"
#include "mqtt/tls/material.hpp"
#include "mqtt/tls/names.hpp"

namespace triggerd::mqtt {
namespace {

// The library's own limits come first; these catch an answer that never comes.
constexpr Millis kLibraryMargin{10'000};
constexpr Millis kGoodbyeLimit{1'000};
constexpr Millis kDisconnectLimit{1'000};

std::string_view connack_text(int code) {
  constexpr std::array<std::string_view, 6> kTexts{"",
                                                   "it does not speak MQTT 3.1.1",
                                                   "it does not allow this client id",
                                                   "it says it is unavailable",
                                                   "bad user name or password",
                                                   "not authorized"};
  const auto index = static_cast<std::size_t>(code);
  return index < kTexts.size() ? kTexts[index] : "unknown return code";
}

std::string look_of(const std::filesystem::path& file) {
  return file.empty() ? std::string() : look_of_file(file);
}

std::vector<LogField> fields_of(const ConnectionOptions& options) {
  std::vector<LogField> fields{{"alias", options.alias}};
  if (!options.trigger.empty()) fields.push_back({"trigger", options.trigger});
  fields.push_back({"client_id", options.client_id});
  return fields;
}

}  // namespace

bool ConnectionStatus::running() const {
  return state == State::up && std::all_of(grants.begin(), grants.end(), [](const Grant& grant) {
           return grant.granted_qos.has_value();
         });
}

std::string_view to_string(ConnectionStatus::State state) {
  switch (state) {
    case ConnectionStatus::State::off:
      return "off";
    case ConnectionStatus::State::connecting:
      return "connecting";
    case ConnectionStatus::State::subscribing:
      return "subscribing";
    case ConnectionStatus::State::up:
      return "up";
    case ConnectionStatus::State::waiting:
      return "waiting";
  }
  return "";
}

Connection::Connection(const ConnectionServices& services, ConnectionOptions options,
                       ConnectionListener& listener)
    : services_(services),
      options_(std::move(options)),
      listener_(listener),
      log_(services_.log),
      fields_(fields_of(options_)),
      password_{options_.password_file, options_.password, look_of(options_.password_file), {}},
      keep_alive_(options_.keep_alive),
      filters_per_packet_(options_.filters_per_packet) {
  if (!options_.proxy) return;
  const config::Proxy& proxy = *options_.proxy;
  proxy_password_ = {proxy.password_file, proxy.password, look_of(proxy.password_file), {}};
}

Connection::~Connection() {
  client_.reset();
}

Result<std::shared_ptr<Connection>> Connection::make(const ConnectionServices& services,
                                                     ConnectionOptions options,
                                                     ConnectionListener& listener) {
  std::shared_ptr<Connection> connection(new Connection(services, std::move(options), listener));
  auto client = services.make_client(connection->options_, *connection);
  if (!client) return tl::make_unexpected(client.error());
  connection->client_ = std::move(*client);
  if (connection->options_.tls) {
    connection->options_.tls->on_change(connection, [raw = connection.get()] { raw->renew(); });
  }
  return connection;
}

// ---- From other threads ----

void Connection::post(std::function<void(Connection&)> task) {
  services_.supervisor->post([weak = weak_from_this(), task = std::move(task)] {
    if (const auto self = weak.lock()) task(*self);
  });
}

void Connection::post_for(Attempt attempt, std::function<void(Connection&)> task) {
  post([attempt, task = std::move(task)](Connection& self) {
    if (self.attempt_ == attempt) task(self);
  });
}

void Connection::open() {
  post([](Connection& self) {
    self.wanted_ = true;
    self.apply_wish();
  });
}

void Connection::pause(std::string why) {
  post([why = std::move(why)](Connection& self) {
    self.paused_ = true;
    self.pause_reason_ = why;
    self.apply_wish();
  });
}

void Connection::resume() {
  post([](Connection& self) {
    self.paused_ = false;
    self.leaving_ = false;
    self.apply_wish();
  });
}

void Connection::close(std::function<void()> done) {
  post([done = std::move(done)](Connection& self) {
    self.closing_ = true;
    self.close_done_.push_back(done);
    self.apply_wish();
  });
}

void Connection::on_too_large(Message&& message, std::uint64_t bytes) {
  log_.warn("message.refused", fields_,
            "message on \"{}\" has {} bytes, over max_packet_size ({}): refused", message.topic,
            bytes, format_size(options_.max_packet_size));
  listener_.on_refused(std::move(message));
}

void Connection::on_connected(Attempt attempt, Welcome welcome) {
  post([attempt, welcome](Connection& self) {
    if (self.attempt_ == attempt) {
      self.connected(welcome);
    } else {
      (void)self.client_->disconnect(attempt);  // nobody waits for it any more
    }
  });
}

void Connection::on_connect_failed(Attempt attempt, int code, std::string why) {
  post_for(attempt,
           [code, why = std::move(why)](Connection& self) { self.connect_failed(code, why); });
}

void Connection::on_lost(Attempt attempt, std::string why, int code) {
  can_publish_ = false;
  post_for(attempt, [why = std::move(why), code](Connection& self) { self.lost(why, code); });
}

void Connection::on_subscribed(Attempt attempt, std::vector<int> codes, std::string why) {
  post_for(attempt, [codes = std::move(codes), why = std::move(why)](Connection& self) {
    self.subscribed(codes, why);
  });
}

void Connection::on_unsubscribed(Attempt attempt, std::vector<int> codes, std::string why) {
  post_for(attempt, [codes = std::move(codes), why = std::move(why)](Connection& self) {
    self.unsubscribed(codes, why);
  });
}

void Connection::on_disconnected(Attempt attempt) {
  post_for(attempt, [](Connection& self) { self.disconnected(); });
}

// ---- Connecting ----

std::string Connection::where() const {
  return options_.proxy
             ? fmt::format("{} through {}", status_.server, config::to_string(*options_.proxy))
             : status_.server;
}

void Connection::apply_wish() {
  if (library_ == Library::disconnecting) return;  // disconnected() comes back here
  if (should_connect()) {
    if (status_.state == State::off) begin_round();
  } else if (status_.state != State::off) {
    begin_disconnect();
  } else if (closing_) {
    finish_close();
  }
}

void Connection::begin_round() {
  look_at_last_loss();
  next_server_ = 0;
  failures_.clear();
  next_server();
}

void Connection::next_server() {
  if (next_server_ == options_.servers.size()) {
    ++failed_rounds_;
    wait_and_retry(fmt::format("{}", fmt::join(failures_, "; ")),
                   options_.reconnect.delay(failed_rounds_, services_.random()));
    return;
  }
  server_ = &options_.servers[next_server_++];
  status_.server = config::to_string(*server_);
  enter(State::connecting, "");
  const Attempt attempt = ++attempt_;
  services_.resolver.resolve(
      options_.proxy ? options_.proxy->host : server_->host,
      [weak = weak_from_this(), supervisor = services_.supervisor,
       attempt](const Result<Resolver::Addresses>& found) {
        supervisor->post([weak, attempt, found] {
          const auto self = weak.lock();
          if (!self || self->attempt_ != attempt) return;
          if (!found) {
            self->failures_.push_back(fmt::format("{}: {}", self->where(), found.error().message));
            self->next_server();
            return;
          }
          self->addresses_ = *found;
          self->next_address();
        });
      });
}

void Connection::next_address() {
  if (addresses_.empty()) {
    next_server();
    return;
  }
  address_ = addresses_.front();
  addresses_.erase(addresses_.begin());
  connect();
}

void Connection::connect() {
  const bool has_will = options_.last_will && options_.last_will->enabled;
  material_ = options_.tls ? options_.tls->get() : nullptr;
  proxy_ = options_.proxy;
  if (proxy_) proxy_->password = read_again(proxy_password_);
  const ConnectRequest request{.server = *server_,
                               .address = address_,
                               .proxy = proxy_,
                               .tls = material_,
                               .clean_session = options_.clean_session,
                               .session_expiry = options_.session_expiry,
                               .timeout = options_.connection_timeout,
                               .keep_alive = keep_alive_,
                               .user_name = options_.user_name,
                               .password = read_again(password_),
                               .last_will = has_will ? options_.last_will : std::nullopt};
  ++attempt_;
  connect_began_ = services_.supervisor->clock().now();
  library_ = Library::connecting;
  if (options_.connection_timeout) {
    arm(*options_.connection_timeout, [](Connection& self) {
      self.client_->give_up_connect();
      self.arm(kLibraryMargin, [](Connection& late) { late.library_is_silent(); });
    });
  }
  if (auto begun = client_->connect(attempt_, request); !begun) {
    disarm();
    library_ = Library::idle;
    address_failed(begun.error().message);
  }
}

void Connection::library_is_silent() {
  log_.error("connection.library_silent", fields_,
             "the MQTT library did not answer a connect; trying again");
  (void)client_->disconnect(attempt_);
  connect_failed(0, "no answer");
}

void Connection::connect_failed(int code, const std::string& why) {
  if (library_ == Library::disconnecting) {
    disconnected();
    return;
  }
  if (library_ != Library::connecting) return;
  disarm();
  library_ = Library::idle;
  if (code == kNotTaken) {
    addresses_.clear();
    address_failed(why);
    return;
  }
  if (code != 0) {
    addresses_.clear();  // the server has spoken: its other addresses would say the same
    address_failed("the server refused the connection: " + refusal_text(code, why));
    return;
  }
  short_sessions_ = 0;  // who takes a client id leaves the server where it is
  const Millis waited =
      std::chrono::duration_cast<Millis>(services_.supervisor->clock().now() - connect_began_);
  const bool timed_out = options_.connection_timeout && waited >= *options_.connection_timeout;
  const std::string fallback =
      timed_out ? fmt::format("no CONNACK within connection_timeout ({})",
                              format_duration(*options_.connection_timeout))
                : fmt::format("the server closed the connection before CONNACK ({})", why);
  if (timed_out && !addresses_.empty()) {
    address_failed(fallback);  // the next one does not wait for an explanation
    return;
  }
  const Attempt attempt = attempt_;
  services_.resolver.explain(
      {address_, *server_, material_, proxy_},
      [weak = weak_from_this(), supervisor = services_.supervisor, attempt,
       fallback](const std::string& reason) {
        supervisor->post([weak, attempt, fallback, reason] {
          const auto self = weak.lock();
          if (self && self->attempt_ == attempt && self->library_ == Library::idle) {
            self->address_failed(reason.empty() ? fallback : reason);
          }
        });
      });
}

std::string Connection::refusal_text(int code, const std::string& why) const {
  if (options_.protocol == config::Protocol::v5) {
    // A server that knows only 3.1.1 answers with its own code.
    if (code == 1) return "it does not speak MQTT 5 (return code 1); write protocol = \"3.1.1\"";
    if (code >= kReasonFailure) return reason_text(code, why);
  }
  return fmt::format("{} (return code {})", connack_text(code), code);
}

void Connection::address_failed(const std::string& why) {
  if (status_.state != State::connecting) return;
  failures_.push_back(fmt::format("{}: {}", where(), why));
  next_address();
}

// ---- Connected ----

void Connection::connected(const Welcome& welcome) {
  if (library_ == Library::disconnecting) {  // given up while CONNACK was on its way
    disconnect_library();
    return;
  }
  if (library_ != Library::connecting) return;
  disarm();
  library_ = Library::connected;
  last_failure_.clear();
  connected_since_ = services_.supervisor->clock().now();
  services_.losses->connected(where());
  publishes_.set_window(window(welcome));
  can_publish_ = true;
  log_.info("connection.up", fields_, "connected to {}{}", where(),
            welcome.session_present ? ", session resumed" : "");
  if (!keeps_alive_as(welcome)) return;
  if (welcome.session_expiry && *welcome.session_expiry < options_.session_expiry) {
    log_.warn("session.shorter", fields_, "{} keeps the session for {} instead of {}",
              status_.server, format_duration(*welcome.session_expiry),
              format_duration(options_.session_expiry));
  }
  if (options_.last_will && options_.last_will->on_connect_payload) {
    publish_presence(*options_.last_will->on_connect_payload, [](const Result<>&) {});
  }
  status_.grants.clear();
  for (const config::Topic& topic : options_.topics) {
    status_.grants.push_back({topic.filter, topic.qos, std::nullopt});
  }
  stale_.clear();
  asked_.clear();
  unsubscribing_ = 0;
  if (!options_.topics.empty()) compare_session(welcome.session_present);
  to_subscribe_.resize(options_.topics.size());
  for (std::size_t i = 0; i < to_subscribe_.size(); ++i) to_subscribe_[i] = i;
  enter(State::subscribing, "");
  if (stale_.empty()) {
    subscribe_next();
  } else {
    unsubscribe_next();
  }
}

// The library pings as often as it was told when it connected. False: connecting again, to tell it
// what the server wants. (MQTT 5.0, section 3.2.2.3.14)
bool Connection::keeps_alive_as(const Welcome& welcome) {
  if (!welcome.keep_alive || *welcome.keep_alive == std::chrono::seconds(0)) return true;
  if (keep_alive_ > Millis(0) && keep_alive_ <= *welcome.keep_alive) return true;
  keep_alive_ = *welcome.keep_alive;
  reconnect_because(fmt::format("connecting again with the keep_alive it wants, {}",
                                format_duration(keep_alive_)));
  return false;
}

// ---- Losing it ----

void Connection::lost(const std::string& why, int code) {
  if (library_ == Library::disconnecting) {
    disconnected();
    return;
  }
  if (library_ != Library::connected) return;
  disarm();
  library_ = Library::idle;
  can_publish_ = false;
  last_loss_ =
      services_.losses->lost(where(), options_.client_id, services_.supervisor->clock().now());
  publishes_.fail_all("the connection was lost before the server confirmed it");
  if (leaving_) {
    enter(State::off, "the connection was lost");
    tell_left();
    return;
  }
  const std::string request = unanswered_request();
  // Where it is we who have ended it, the server has said nothing of what was asked.
  const bool fewer = (code >= 0 || why.empty()) && ask_for_fewer(code);
  end_of_session(request, fewer);
  if (code == kReasonSessionTakenOver) {
    client_id_taken("ended the connection: " + reason_text(code, why));
    return;
  }
  const bool said = code >= 0 || !why.empty();
  if (!said && request.empty() && seems_taken()) {
    client_id_taken(fmt::format("ended the connection {} times in a row soon after accepting it",
                                short_sessions_));
    return;
  }
  std::string text = said ? fmt::format("{}: connection closed: {}", status_.server,
                                        code >= 0 ? reason_text(code, why) : why)
                          : fmt::format("{} ended the connection", status_.server);
  if (!request.empty()) text += (said ? ", when it was " : " when ") + request;
  if (fewer) text += fmt::format("; asking for at most {} at once now", filters_per_packet_);
  wait_and_retry(text, options_.reconnect.delay(failed_rounds_, services_.random()));
}

void Connection::reconnect_because(const std::string& why) {
  broken_because_ = fmt::format("{}: {}", status_.server, why);
  begin_disconnect();
}

// ---- Ending it ----

void Connection::begin_disconnect() {
  disarm();
  const bool was_connected = library_ == Library::connected;
  const bool was_idle = library_ == Library::idle;
  if (was_connected) services_.losses->disconnected(where());
  if (was_idle) ++attempt_;  // a lookup under way is of no interest any more
  library_ = Library::disconnecting;
  enter(State::off, paused_ ? pause_reason_ : "");
  if (was_idle) {
    disconnected();
  } else if (!was_connected) {
    // The library cannot take a connect back: connected() or connect_failed() goes on from here.
    arm(closing_ ? kDisconnectLimit : kLibraryMargin,
        [](Connection& self) { self.disconnected(); });
  } else if (closing_ && options_.last_will && options_.last_will->on_disconnect_payload) {
    say_goodbye();
  } else {
    disconnect_library();
  }
}

void Connection::say_goodbye() {
  publishes_.fail_waiting("it was not sent: the connection is being closed");
  arm(kGoodbyeLimit, [](Connection& self) { self.disconnect_library(); });
  const Attempt attempt = attempt_;
  publish_presence(*options_.last_will->on_disconnect_payload,
                   [weak = weak_from_this(), attempt](const Result<>&) {
                     const auto self = weak.lock();
                     if (!self) return;
                     self->post_for(attempt, [](Connection& connection) {
                       if (connection.library_ == Library::disconnecting) {
                         connection.disconnect_library();
                       }
                     });
                   });
}

void Connection::disconnect_library() {
  disarm();
  can_publish_ = false;
  if (!client_->disconnect(attempt_)) {
    disconnected();
    return;
  }
  arm(kDisconnectLimit, [](Connection& self) { self.disconnected(); });
}

void Connection::disconnected() {
  if (library_ != Library::disconnecting) return;
  disarm();
  library_ = Library::idle;
  can_publish_ = false;
  ++attempt_;
  publishes_.fail_all("the connection was closed before the server confirmed it");
  tell_left();
  const std::string broken = std::exchange(broken_because_, {});
  if (!broken.empty() && should_connect()) {
    ++failed_rounds_;
    wait_and_retry(broken, options_.reconnect.delay(failed_rounds_, services_.random()));
  } else {
    apply_wish();
  }
}

void Connection::finish_close() {
  for (const std::function<void()>& done : std::exchange(close_done_, {})) done();
}

// ---- Small things ----

void Connection::enter(State state, std::string reason) {
  status_.state = state;
  status_.reason = std::move(reason);
  if (state != State::up && state != State::subscribing) status_.grants.clear();
  listener_.on_status(status_);
}

void Connection::arm(Millis delay, std::function<void(Connection&)> task) {
  disarm();
  timer_ = services_.supervisor->after(delay, [weak = weak_from_this(), task = std::move(task)] {
    if (const auto self = weak.lock()) task(*self);
  });
}

void Connection::disarm() {
  services_.supervisor->cancel(std::exchange(timer_, {}));
}

}  // namespace triggerd::mqtt
