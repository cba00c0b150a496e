#include "outbox/outboxes.hpp"

namespace triggerd::outbox {

Outboxes::~Outboxes() {
  for (const auto& [alias, outbox] : outboxes_) outbox->end();
}

Result<OutboxPtr> Outboxes::open(const std::string& alias, const std::string& client_id,
                                 const config::Outbox& options) {
  MutexLock lock(mutex_);
  if (const auto found = outboxes_.find(alias); found != outboxes_.end()) return found->second;
  auto opened = Outbox::open(needs_, alias, client_id, options);
  if (opened) outboxes_.emplace(alias, *opened);
  return opened;
}

OutboxPtr Outboxes::find(std::string_view alias) const {
  MutexLock lock(mutex_);
  const auto found = outboxes_.find(alias);
  return found == outboxes_.end() ? nullptr : found->second;
}

void Outboxes::rest(Monotonic deadline) {
  std::vector<OutboxPtr> all;
  {
    MutexLock lock(mutex_);
    for (const auto& [alias, outbox] : outboxes_) all.push_back(outbox);
  }
  rest(all, deadline);
}

// All of them stop sending before any is waited for.
void Outboxes::rest(const std::vector<OutboxPtr>& outboxes, Monotonic deadline) {
  for (const OutboxPtr& outbox : outboxes) (void)outbox->rest(Monotonic{});
  for (const OutboxPtr& outbox : outboxes) (void)outbox->rest(deadline);
}

}  // namespace triggerd::outbox
