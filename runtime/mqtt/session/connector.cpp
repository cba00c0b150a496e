#include "mqtt/session/connector.hpp"

#include <fmt/format.h>

#include <utility>

#include "base/units.hpp"
#include "mqtt/reason.hpp"
#include "mqtt/tls/material.hpp"

namespace triggerd::mqtt {
namespace {

// The library has a limit of its own; this catches a connect that it never answers.
constexpr Millis kLibraryMargin{10'000};

}  // namespace

Connector::Connector(const ConnectionContext& context, ReconnectSchedule& schedule,
                     SessionHistory& history, Credentials& credentials, Events events)
    : context_(context),
      schedule_(schedule),
      history_(history),
      credentials_(credentials),
      events_(std::move(events)),
      timer_(context.tasks),
      keep_alive_(context.options.keep_alive) {}

std::string Connector::where() const {
  const std::string server = config::to_string(schedule_.server());
  const auto& proxy = context_.options.proxy;
  return proxy ? fmt::format("{} through {}", server, config::to_string(*proxy)) : server;
}

void Connector::begin_round() {
  in_round_ = true;
  schedule_.begin_round();
  failures_.clear();
  if (credentials_.command().empty()) {
    next_server();
  } else {
    ask_for_password();
  }
}

void Connector::ask_for_password() {
  events_.on_password();
  const ConnectAttempt attempt = ++attempt_;
  context_.services.password_commands.get(
      credentials_.command(), context_.options.password_command.timeout,
      context_.tasks.posted([this, attempt](const Result<config::Secret>& printed) {
        if (attempt_ != attempt) return;
        if (printed) {
          credentials_.printed(*printed);
          next_server();
        } else {
          failures_.push_back(fmt::format("password_command ({}): {}",
                                          credentials_.command().front(), printed.error().message));
          end_round();
        }
      }));
}

void Connector::end_round() {
  in_round_ = false;
  events_.on_round_failed(fmt::format("{}", fmt::join(failures_, "; ")));
}

bool Connector::stop() {
  timer_.cancel();
  in_round_ = false;
  if (std::exchange(library_connects_, false)) return true;
  ++attempt_;  // a lookup under way is of no interest any more
  return false;
}

void Connector::next_server() {
  if (!schedule_.next_server()) {
    end_round();
    return;
  }
  events_.on_server(config::to_string(schedule_.server()));
  const ConnectAttempt attempt = ++attempt_;
  const auto& proxy = context_.options.proxy;
  context_.services.resolver.resolve(
      proxy ? proxy->host : schedule_.server().host,
      context_.tasks.posted([this, attempt](const Result<Resolver::Addresses>& found) {
        if (attempt_ == attempt) looked_up(found);
      }));
}

void Connector::looked_up(const Result<Resolver::Addresses>& found) {
  if (!found) {
    failures_.push_back(fmt::format("{}: {}", where(), found.error().message));
    next_server();
    return;
  }
  schedule_.found(*found);
  next_address();
}

void Connector::next_address() {
  if (schedule_.next_address()) {
    connect();
  } else {
    next_server();
  }
}

ConnectRequest Connector::request() {
  const ConnectionOptions& options = context_.options;
  const bool has_will = options.last_will && options.last_will->enabled;
  material_ = options.tls ? options.tls->get() : nullptr;
  proxy_ = options.proxy;
  if (proxy_) proxy_->password = credentials_.proxy_password();
  return {.server = schedule_.server(),
          .address = schedule_.address(),
          .proxy = proxy_,
          .tls = material_,
          .clean_session = options.clean_session || clean_,
          .session_expiry = options.session_expiry,
          .timeout = options.connection_timeout,
          .keep_alive = keep_alive_,
          .user_name = options.user_name,
          .password = credentials_.password(),
          .last_will = has_will ? options.last_will : std::nullopt};
}

void Connector::connect() {
  const ConnectRequest asked = request();
  ++attempt_;
  began_ = context_.now();
  library_connects_ = true;
  if (const auto limit = context_.options.connection_timeout) {
    timer_.set(*limit, [this] {
      client_->give_up_connect();
      timer_.set(kLibraryMargin, [this] { library_is_silent(); });
    });
  }
  if (auto begun = client_->connect(attempt_, asked); !begun) {
    timer_.cancel();
    library_connects_ = false;
    address_failed(begun.error().message);
  }
}

void Connector::library_is_silent() {
  context_.log.error("connection.library_silent",
                     "the MQTT library did not answer a connect request; trying again");
  (void)client_->disconnect(attempt_);
  failed(0, "no answer");
}

bool Connector::accepted() {
  if (!std::exchange(library_connects_, false)) return false;
  timer_.cancel();
  in_round_ = false;
  return true;
}

void Connector::failed(int code, const std::string& why) {
  if (!std::exchange(library_connects_, false)) return;
  timer_.cancel();
  if (code == kNotTaken) {
    schedule_.skip_addresses();
    address_failed(why);
    return;
  }
  if (code != 0) {
    schedule_.skip_addresses();
    const bool is_v5 = context_.options.protocol == config::Protocol::v5;
    if (!credentials_.command().empty() && refuses_credentials(code, is_v5)) {
      context_.services.password_commands.refused(credentials_.command(), credentials_.password());
    }
    address_failed("the server refused the connection: " + connack_refusal(code, why, is_v5));
    return;
  }
  history_.found_no_server();
  const auto limit = context_.options.connection_timeout;
  const bool timed_out = limit && context_.now() - began_ >= *limit;
  const std::string otherwise =
      timed_out ? fmt::format("no CONNACK within connection_timeout ({})", format_duration(*limit))
                : fmt::format("the server closed the connection before CONNACK ({})", why);
  if (timed_out && schedule_.has_more_addresses()) {
    address_failed(otherwise);  // the next one does not wait for an explanation
  } else {
    explain(otherwise);
  }
}

// Finds out why the connect failed, which the library keeps to itself.
void Connector::explain(const std::string& otherwise) {
  const ConnectAttempt attempt = attempt_;
  context_.services.resolver.explain(
      {schedule_.address(), schedule_.server(), material_, proxy_},
      context_.tasks.posted([this, attempt, otherwise](const std::string& reason) {
        if (attempt_ == attempt) address_failed(reason.empty() ? otherwise : reason);
      }));
}

void Connector::address_failed(const std::string& why) {
  if (!in_round_) return;
  failures_.push_back(fmt::format("{}: {}", where(), why));
  next_address();
}

}  // namespace triggerd::mqtt
