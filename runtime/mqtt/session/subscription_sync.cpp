#include "mqtt/session/subscription_sync.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "base/units.hpp"
#include "mqtt/reason.hpp"
#include "mqtt/session/session_plan.hpp"

namespace triggerd::mqtt {
namespace {

constexpr std::size_t kFewFilters = 8;

// First the limits that servers are known to have, then by halves.
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

SubscriptionSync::SubscriptionSync(const ConnectionOptions& options, SessionMemory& sessions,
                                   const ConnectionLog& log)
    : options_(options),
      sessions_(sessions),
      log_(log),
      filters_per_packet_(options.filters_per_packet) {}

bool SubscriptionSync::begin(const std::string& server, bool session_present) {
  server_ = server;
  grants_.clear();
  for (const config::Topic& topic : options_.topics) {
    grants_.push_back({topic.filter, topic.qos, std::nullopt, {}});
  }
  answered_once_ = false;
  leaving_ = false;
  stale_.clear();
  asked_.clear();
  unsubscribing_ = 0;
  bool lost = false;
  if (!options_.topics.empty()) {
    lost = compare_session(session_present);
  } else if (options_.keeps_publishes) {
    remember_empty_session();
  }
  to_subscribe_.resize(options_.topics.size());
  std::iota(to_subscribe_.begin(), to_subscribe_.end(), std::size_t{0});
  return lost;
}

// What the server has for this client id, against what is wanted now.
bool SubscriptionSync::compare_session(bool session_present) {
  const auto remembered = sessions_.filters(options_.client_id);
  if (options_.clean_session) {
    if (remembered) sessions_.forget(options_.client_id);
    return false;
  }
  SessionPlan plan = plan_session(remembered, session_present, wanted_filters());
  if (plan.lost) {
    log_.error("session.lost",
               "{} no longer has the session of this client id: messages published since the last "
               "connection are lost",
               server_);
  }
  // Before SUBSCRIBE leaves, so that no filter the server may have is ever forgotten.
  if (remembered != plan.remember) sessions_.remember(options_.client_id, plan.remember);
  sessions_.found_at(options_, server_);
  stale_ = std::move(plan.stale);
  return plan.lost;
}

// A session that is kept for what is published: whoever ends unwanted sessions has to know of it.
void SubscriptionSync::remember_empty_session() {
  if (!sessions_.filters(options_.client_id)) sessions_.remember(options_.client_id, {});
  sessions_.found_at(options_, server_);
}

std::vector<std::string> SubscriptionSync::wanted_filters() const {
  std::vector<std::string> filters;
  for (const config::Topic& topic : options_.topics) filters.push_back(topic.filter);
  std::sort(filters.begin(), filters.end());
  return filters;
}

// ---- Unsubscribing ----

void SubscriptionSync::unsubscribe_from_all() {
  log_.info("subscription.dropped", "unsubscribing from {} before the session ends",
            options_.topics.size() == 1 ? fmt::format("\"{}\"", options_.topics.front().filter)
                                        : fmt::format("all {} filters", options_.topics.size()));
  leaving_ = true;
  stale_ = wanted_filters();
}

std::vector<std::string> SubscriptionSync::next_unsubscribe() {
  unsubscribing_ = std::min(stale_.size(), filters_per_packet_);
  std::vector<std::string> filters(stale_.end() - static_cast<std::ptrdiff_t>(unsubscribing_),
                                   stale_.end());
  for (const std::string& filter : filters) {
    if (leaving_) break;
    log_.info("subscription.dropped", "unsubscribing from \"{}\", which is no longer wanted",
              filter);
  }
  return filters;
}

bool SubscriptionSync::unsubscribed(const std::vector<int>& codes, const std::string& why) {
  if (unsubscribing_ == 0) return false;
  const std::size_t asked = std::exchange(unsubscribing_, 0);
  for (std::size_t i = 0; i < std::min(asked, codes.size()); ++i) {
    if (codes[i] < kReasonFailure) continue;
    log_.warn("subscription.kept", "{} refused to drop the subscription to \"{}\": {}", server_,
              stale_[stale_.size() - asked + i], reason_text(codes[i], why));
  }
  stale_.resize(stale_.size() - asked);
  if (stale_.empty() && !leaving_) sessions_.remember(options_.client_id, wanted_filters());
  return true;
}

// ---- Subscribing ----

std::vector<config::Topic> SubscriptionSync::next_subscribe() {
  if (to_subscribe_.empty()) {
    answered_once_ = true;
    return {};
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
  return topics;
}

Result<> SubscriptionSync::subscribed(const std::vector<int>& codes, const std::string& why) {
  const std::vector<std::size_t> asked = std::exchange(asked_, {});
  if (codes.size() != asked.size()) {
    return fail("the server answered {} filters with {} return codes{}{}", asked.size(),
                codes.size(), why.empty() ? "" : ": ", why);
  }
  const std::vector<std::size_t> again = asked_too_many(asked, codes);
  for (std::size_t i = 0; i < asked.size(); ++i) {
    if (std::find(again.begin(), again.end(), asked[i]) != again.end()) continue;
    note_answer(grants_[asked[i]], codes[i], why);
  }
  return {};
}

// A refusal is news when it comes first, and when the filter had been granted.
void SubscriptionSync::note_answer(Grant& grant, int code, const std::string& why) const {
  const bool is_news = !answered_once_ || grant.granted_qos;
  grant.granted_qos.reset();
  if (code >= 0 && code <= 2) grant.granted_qos = code;
  grant.refusal.clear();
  if (!grant.granted_qos && options_.protocol == config::Protocol::v5) {
    grant.refusal = ": " + reason_text(code, why);
  }
  if (!grant.granted_qos && is_news) {
    log_.warn("subscription.refused",
              "{} refused the subscription to \"{}\"{}; asking again every {}", server_,
              grant.filter, grant.refusal, format_duration(options_.reconnect.max));
  } else if (grant.granted_qos && *grant.granted_qos < grant.asked_qos) {
    log_.warn("subscription.lower_qos", "{} granted QoS {} instead of {} for \"{}\"", server_,
              *grant.granted_qos, grant.asked_qos, grant.filter);
  }
}

// A server that takes only so many filters in one SUBSCRIBE may refuse those beyond, or all of
// them. Returns those that are to be asked for again, in smaller packets.
std::vector<std::size_t> SubscriptionSync::asked_too_many(const std::vector<std::size_t>& asked,
                                                          const std::vector<int>& codes) {
  std::vector<std::size_t> again;
  bool all_refused = true;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    if (codes[i] == kReasonQuotaExceeded) again.push_back(asked[i]);
    all_refused = all_refused && codes[i] >= kReasonFailure;
  }
  // 3.1.1 has one code for every reason. Where all of a few filters are refused, it is more likely
  // that this client may not have them.
  if (all_refused && asked.size() > kFewFilters) again = asked;
  if (asked.size() == 1 || again.empty()) return {};
  filters_per_packet_ =
      again.size() < asked.size() ? asked.size() - again.size() : fewer_than(asked.size());
  log_.info("subscription.split",
            "{} refused {} of {} filters requested together; requesting at most {} together",
            server_, again.size(), asked.size(), filters_per_packet_);
  to_subscribe_.insert(to_subscribe_.begin(), again.begin(), again.end());
  return again;
}

void SubscriptionSync::retry_refused() {
  for (std::size_t i = 0; i < grants_.size(); ++i) {
    if (!grants_[i].granted_qos) to_subscribe_.push_back(i);
  }
}

// ---- Where it stands ----

std::string SubscriptionSync::refusals() const {
  std::string refused;
  for (const Grant& grant : grants_) {
    if (grant.granted_qos) continue;
    refused += fmt::format("{}\"{}\"{}", refused.empty() ? "" : ", ", grant.filter, grant.refusal);
  }
  return refused;
}

std::string SubscriptionSync::unanswered_request() const {
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
      filter.starts_with("$share/") ? ", as a server without shared subscriptions may do" : "");
}

bool SubscriptionSync::ask_for_fewer(int code) {
  const std::size_t asked = std::max(asked_.size(), unsubscribing_);
  if (asked < 2 || !may_be_about_the_request(code)) return false;
  filters_per_packet_ = fewer_than(asked);
  return true;
}

}  // namespace triggerd::mqtt
