#include "control/services/outboxes.hpp"

#include <fmt/format.h>

#include "control/running/admin_errors.hpp"

namespace triggerd::control {
namespace {

using Kind = management::AdminError::Kind;

// The writer may be busy with a batch, and the supervisor with other connections.
constexpr Millis kClearLimit{10'000};
// Of messages that are listed, at once in memory.
constexpr std::size_t kListedBytes = 64 << 20;

}  // namespace

management::Outcome<outbox::OutboxPtr> Outboxes::find(std::string_view alias) const {
  if (outbox::OutboxPtr found = needs_.outboxes.find(alias)) return found;
  const ConfigPtr all = needs_.registry.config();
  if (all->find_alias(alias) == nullptr) return no_alias(*all, alias);
  return conflict(fmt::format("alias \"{}\" has no outbox", alias));
}

management::Outcome<std::vector<management::KeptMessage>> Outboxes::kept_messages(
    std::string_view alias, std::size_t limit, std::size_t payload_bytes) const {
  if (auto found = find(alias); !found) return tl::make_unexpected(found.error());
  auto page = needs_.stored.page(alias, 0, limit, kListedBytes);
  if (!page) return tl::make_unexpected(management::AdminError{Kind::failed, page.error().message});
  std::vector<management::KeptMessage> messages;
  messages.reserve(page->size());
  for (inbox::OutgoingMessage& stored : *page) {
    management::KeptMessage message{.topic = std::move(stored.topic),
                                    .payload = std::move(stored.payload),
                                    .qos = stored.qos,
                                    .retained = stored.retained,
                                    .published = stored.kept};
    message.payload_size = message.payload.size();
    if (message.payload.size() > payload_bytes) message.payload.resize(payload_bytes);
    messages.push_back(std::move(message));
  }
  return messages;
}

management::Outcome<std::uint64_t> Outboxes::clear_outbox(std::string_view alias,
                                                          const management::Actor& by) {
  const auto found = find(alias);
  if (!found) return tl::make_unexpected(found.error());
  const auto cleared = (*found)->clear(needs_.clock.now() + kClearLimit);
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
