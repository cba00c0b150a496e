// Connection between CONNACK and up: the session that the server has or lost, stale filters, and
// subscriptions.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/units.hpp"
#include "mqtt/reason.hpp"
#include "mqtt/session/connection.hpp"
#include "mqtt/session/session_plan.hpp"

namespace triggerd::mqtt {
namespace {

constexpr Millis kAnswerLimit{30'000};
constexpr std::size_t kFewFilters = 8;

// The limits there are, as far as is known; then by halves.
std::size_t fewer_than(std::size_t filters) {
  for (const std::size_t known : {50U, 20U, 10U, 8U}) {
    if (filters > known) return known;
  }
  return std::max<std::size_t>(filters / 2, 1);
}

// Whether a DISCONNECT with this reason may be about what was asked; -1: there was none.
bool may_be_about_the_request(int code) {
  constexpr std::array kMay{-1, 0x80, 0x81, 0x82, 0x83, 0x87, 0x8f, 0x95, 0x97, 0x9e, 0xa1, 0xa2};
  return std::find(kMay.begin(), kMay.end(), code) != kMay.end();
}

}  // namespace

// What the server holds for this client id, against what is wanted now.
void Connection::compare_session(bool session_present) {
  const auto remembered = services_.sessions.filters(options_.client_id);
  if (options_.clean_session) {
    if (remembered) services_.sessions.forget(options_.client_id);
    return;
  }
  SessionPlan plan = plan_session(remembered, session_present, wanted_filters());
  if (plan.lost) {
    ++status_.sessions_lost;
    log_.error("session.lost", fields_,
               "{} no longer has the session of this client id: what was sent to it since the last "
               "connection is lost",
               status_.server);
  }
  // Before SUBSCRIBE leaves, so that no filter the server may hold is ever forgotten.
  if (remembered != plan.remember) services_.sessions.remember(options_.client_id, plan.remember);
  services_.sessions.found_at(options_, status_.server);
  stale_ = std::move(plan.stale);
}

std::vector<std::string> Connection::wanted_filters() const {
  std::vector<std::string> filters;
  for (const config::Topic& topic : options_.topics) filters.push_back(topic.filter);
  std::sort(filters.begin(), filters.end());
  return filters;
}

void Connection::unsubscribe_next() {
  unsubscribing_ = std::min(stale_.size(), filters_per_packet_);
  const std::vector<std::string> filters(stale_.end() - static_cast<std::ptrdiff_t>(unsubscribing_),
                                         stale_.end());
  for (const std::string& filter : filters) {
    if (leaving_) break;
    log_.info("subscription.dropped", fields_,
              "unsubscribing from \"{}\", which is no longer wanted", filter);
  }
  send_or_reconnect(client_->unsubscribe(attempt_, filters), "UNSUBACK");
}

void Connection::unsubscribed(const std::vector<int>& codes, const std::string& why) {
  if (library_ != Library::connected || unsubscribing_ == 0) return;
  disarm();
  const std::size_t asked = std::exchange(unsubscribing_, 0);
  for (std::size_t i = 0; i < std::min(asked, codes.size()); ++i) {
    if (codes[i] < kReasonFailure) continue;
    log_.warn("subscription.kept", fields_, "{} refused to drop the subscription to \"{}\": {}",
              status_.server, stale_[stale_.size() - asked + i], reason_text(codes[i], why));
  }
  stale_.resize(stale_.size() - asked);
  if (!stale_.empty()) {
    unsubscribe_next();
    return;
  }
  if (leaving_) {
    tell_left();
    return;
  }
  services_.sessions.remember(options_.client_id, wanted_filters());
  subscribe_next();
}

void Connection::subscribe_next() {
  if (to_subscribe_.empty()) {
    went_up();
    return;
  }
  // A packet has one subscription identifier for all its filters.
  const std::size_t most = std::min(to_subscribe_.size(), filters_per_packet_);
  const std::uint32_t id = options_.topics[to_subscribe_.front()].subscription_id;
  const auto end =
      std::find_if(to_subscribe_.begin(), to_subscribe_.begin() + static_cast<std::ptrdiff_t>(most),
                   [&](std::size_t index) { return options_.topics[index].subscription_id != id; });
  asked_.assign(to_subscribe_.begin(), end);
  to_subscribe_.erase(to_subscribe_.begin(), end);
  std::vector<config::Topic> topics;
  for (const std::size_t index : asked_) topics.push_back(options_.topics[index]);
  send_or_reconnect(client_->subscribe(attempt_, topics), "SUBACK");
}

// The wait for an answer has a bound; a request that could not even leave is a broken connection.
void Connection::send_or_reconnect(const Result<>& sent, std::string_view answer) {
  if (!sent) {
    reconnect_because(sent.error().message);
    return;
  }
  arm(kAnswerLimit, [answer](Connection& self) {
    self.reconnect_because(fmt::format("no {} within {}", answer, format_duration(kAnswerLimit)));
  });
}

void Connection::subscribed(const std::vector<int>& codes, const std::string& why) {
  if (library_ != Library::connected || asked_.empty()) return;
  // The library gave up: the end of the connection follows, or the limit of the answer is reached.
  if (codes.empty()) return;
  disarm();
  const std::vector<std::size_t> asked = std::exchange(asked_, {});
  if (codes.size() != asked.size()) {
    reconnect_because(fmt::format("the server answered {} filters with {} return codes{}{}",
                                  asked.size(), codes.size(), why.empty() ? "" : ": ", why));
    return;
  }
  const std::vector<std::size_t> again = asked_too_many(asked, codes);
  for (std::size_t i = 0; i < asked.size(); ++i) {
    if (std::find(again.begin(), again.end(), asked[i]) != again.end()) continue;
    Grant& grant = status_.grants[asked[i]];
    const std::optional<int> before = grant.granted_qos;
    const bool first_answer = status_.state == State::subscribing;
    grant.granted_qos.reset();
    if (codes[i] >= 0 && codes[i] <= 2) grant.granted_qos = codes[i];
    grant.refusal.clear();
    if (!grant.granted_qos && options_.protocol == config::Protocol::v5) {
      grant.refusal = ": " + reason_text(codes[i], why);
    }
    if (!grant.granted_qos && (first_answer || before)) {
      log_.warn("subscription.refused", fields_,
                "{} refused the subscription to \"{}\"{}; asking again every {}", status_.server,
                grant.filter, grant.refusal, format_duration(options_.reconnect.max));
    } else if (grant.granted_qos && *grant.granted_qos < grant.asked_qos) {
      log_.warn("subscription.lower_qos", fields_, "{} granted QoS {} instead of {} for \"{}\"",
                status_.server, *grant.granted_qos, grant.asked_qos, grant.filter);
    }
  }
  subscribe_next();
}

// A server that takes only so many filters of one SUBSCRIBE may refuse those above, or all. They
// are asked for again, in smaller packets: these it returns.
std::vector<std::size_t> Connection::asked_too_many(const std::vector<std::size_t>& asked,
                                                    const std::vector<int>& codes) {
  std::vector<std::size_t> again;
  bool all_refused = true;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    if (codes[i] == kReasonQuotaExceeded) again.push_back(asked[i]);
    all_refused = all_refused && codes[i] >= kReasonFailure;
  }
  // 3.1.1 has one code for whatever it is. Of few filters it is rather that nobody may have them.
  if (all_refused && asked.size() > kFewFilters) again = asked;
  if (asked.size() == 1 || again.empty()) return {};
  filters_per_packet_ =
      again.size() < asked.size() ? asked.size() - again.size() : fewer_than(asked.size());
  log_.info("subscription.split", fields_,
            "{} refused {} of {} filters asked for at once; asking for at most {} at once",
            status_.server, again.size(), asked.size(), filters_per_packet_);
  to_subscribe_.insert(to_subscribe_.begin(), again.begin(), again.end());
  return again;
}

// What the server had been asked for and has not answered, for a message; empty where there is no
// such thing.
std::string Connection::unanswered_request() const {
  if (unsubscribing_ > 0) {
    return unsubscribing_ == 1
               ? fmt::format("asked to drop the subscription to \"{}\"", stale_.back())
               : fmt::format("asked to drop {} filters at once", unsubscribing_);
  }
  if (asked_.size() > 1) return fmt::format("asked for {} filters at once", asked_.size());
  if (asked_.empty()) return {};
  const std::string& filter = options_.topics[asked_.front()].filter;
  return fmt::format(
      "asked for \"{}\"{}", filter,
      filter.starts_with("$share/") ? ", as one that has no shared subscriptions may do" : "");
}

// The server has ended the connection instead of answering, which some do that take only so many
// filters at once. Whether it is to be asked for fewer.
bool Connection::ask_for_fewer(int code) {
  const std::size_t asked = std::max(asked_.size(), unsubscribing_);
  if (asked < 2 || !may_be_about_the_request(code)) return false;
  filters_per_packet_ = fewer_than(asked);
  return true;
}

void Connection::went_up() {
  std::string refused;
  for (const Grant& grant : status_.grants) {
    if (grant.granted_qos) continue;
    refused += fmt::format("{}\"{}\"{}", refused.empty() ? "" : ", ", grant.filter, grant.refusal);
  }
  if (!refused.empty()) {
    arm(options_.reconnect.max, [](Connection& self) { self.retry_refused(); });
    refused = fmt::format("{} refused the subscription to {}", status_.server, refused);
  }
  enter(State::up, refused);
  if (leaving_ && !leave_done_.empty() && stale_.empty()) unsubscribe_all();
}

void Connection::retry_refused() {
  if (leaving_) return;
  for (std::size_t i = 0; i < status_.grants.size(); ++i) {
    if (!status_.grants[i].granted_qos) to_subscribe_.push_back(i);
  }
  subscribe_next();
}

}  // namespace triggerd::mqtt
