#include "control/services/outboxes.hpp"

#include <fmt/format.h>

#include "control/running/admin_errors.hpp"

namespace triggerd::control {
namespace {

using Kind = management::AdminError::Kind;

// The writer may be busy with a batch, and the supervisor with other connections.
constexpr Millis kClearLimit{10'000};

}  // namespace

// Why an alias has nothing to show or to clear.
management::AdminError Outboxes::none(std::string_view alias) const {
  const ConfigPtr all = needs_.registry.config();
  if (all->find_alias(alias) == nullptr) return no_alias(*all, alias).value();
  return conflict(fmt::format("alias \"{}\" has no outbox", alias)).value();
}

management::Outcome<std::vector<management::KeptMessage>> Outboxes::kept_messages(
    std::string_view alias, std::size_t limit, std::size_t payload_bytes) const {
  auto kept = needs_.stored.oldest(alias, limit, payload_bytes);
  if (!kept) return tl::make_unexpected(management::AdminError{Kind::failed, kept.error().message});
  // Messages of an alias that has none any more are still there.
  if (kept->empty() && !needs_.outboxes.find(alias)) return tl::make_unexpected(none(alias));
  std::vector<management::KeptMessage> messages;
  messages.reserve(kept->size());
  for (inbox::Outgoing::Listed& one : *kept) {
    messages.push_back({.topic = std::move(one.message.topic),
                        .payload = std::move(one.message.payload),
                        .payload_size = one.payload_size,
                        .qos = one.message.qos,
                        .retained = one.message.retained,
                        .published = one.message.kept});
  }
  return messages;
}

management::Outcome<std::uint64_t> Outboxes::clear_outbox(std::string_view alias,
                                                          const management::Actor& by) {
  Result<std::uint64_t> cleared = 0;
  if (const auto found = needs_.outboxes.find(alias)) {
    cleared = found->clear(needs_.clock.now() + kClearLimit);
  } else {
    const auto left = needs_.stored.clear(alias, 0, INT64_MAX);
    if (!left) {
      cleared = tl::make_unexpected(left.error());
    } else if (left->messages == 0) {
      return tl::make_unexpected(none(alias));
    } else {
      cleared = left->messages;
    }
  }
  if (!cleared) {
    return tl::make_unexpected(management::AdminError{
        Kind::unavailable, fmt::format("the outbox of alias \"{}\" was not cleared: {}", alias,
                                       cleared.error().message)});
  }
  needs_.log.warn("outbox.cleared", {{"alias", std::string(alias)}},
                  "{} message{} removed from the outbox by {}", *cleared,
                  *cleared == 1 ? " was" : "s were", by);
  return *cleared;
}

}  // namespace triggerd::control
