// The outboxes of a runtime, by their aliases. One stays when its alias goes, and is there when the
// alias comes back: what it keeps lives on meanwhile.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.hpp"
#include "outbox/outbox.hpp"

namespace triggerd::outbox {

using OutboxPtr = std::shared_ptr<Outbox>;

// Thread-safe: a lock of its own, which is held while a new outbox reads its file.
class Outboxes {
 public:
  explicit Outboxes(const OutboxNeeds& needs) : needs_(needs) {}
  // Ends each of them.
  ~Outboxes();
  Outboxes(const Outboxes&) = delete;
  Outboxes& operator=(const Outboxes&) = delete;

  // The outbox of `alias`; `client_id` and `options` are for one that is made now. [control]
  Result<OutboxPtr> open(const std::string& alias, const std::string& client_id,
                         const config::Outbox& options);
  // Null: the alias has none, and had none since the start. [any]
  OutboxPtr find(std::string_view alias) const;
  // Each rests: see Outbox::rest(). [any but the supervisor]
  void rest(Monotonic deadline);
  static void rest(const std::vector<OutboxPtr>& outboxes, Monotonic deadline);

 private:
  const OutboxNeeds needs_;
  mutable Mutex mutex_;
  std::map<std::string, OutboxPtr, std::less<>> outboxes_ TRIGGERD_GUARDED_BY(mutex_);
};

}  // namespace triggerd::outbox
