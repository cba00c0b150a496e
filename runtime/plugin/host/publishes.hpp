// The publishes of one instance whose result has not been reported to its service yet.
//
//     event                       call                        done is due
//     publish() begins            open()
//     it returned an error        drop()                      never
//     it returned TRIGGER_OK      commit()                    once there is a result
//     the result, on any thread   the function of open()      once committed
//     the instance stops          cancel()                    now, with TRIGGER_E_CANCELLED
//
// So done is called exactly once for each committed publish, on the completions thread, and never
// after cancel() has returned true. A later result is ignored.
//
// Thread-safe: a lock of its own, which is not held during a callback.
#pragma once

#include <trigger/plugin.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/clock.hpp"
#include "base/mutex.hpp"
#include "plugin/host/completions.hpp"
#include "plugin/work.hpp"

namespace triggerd::plugin {

class Publishes : public std::enable_shared_from_this<Publishes> {
 public:
  // The most publishes that may be under way or due at once.
  static constexpr std::size_t kMax = 10'000;

  explicit Publishes(std::shared_ptr<Completions> completions);

  struct Opened {
    std::int32_t code = TRIGGER_OK;  // or TRIGGER_E_STATE, TRIGGER_E_FULL
    std::uint64_t id = 0;
    PublishDone result{};  // may be called late, twice or never, since it owns what it needs
  };
  Opened open(trigger_publish_done done, void* user);
  void drop(std::uint64_t id);
  void commit(std::uint64_t id);

  // Lets open() succeed, which it does not at first.
  void accept();
  // Stops accepting, cancels what is under way, and waits until every result was reported. False:
  // some done callback has not returned by `deadline`.
  [[nodiscard]] bool cancel(Monotonic deadline);
  // Stops accepting, and reports only what the completions thread already has.
  void forget();

 private:
  struct Outcome {
    std::int32_t code;
    std::string reason;
  };
  struct Entry {
    trigger_publish_done done;
    void* user;
    bool committed = false;
    std::optional<Outcome> outcome{};  // the first one counts
  };

  void settle(std::uint64_t id, std::int32_t code, std::string reason);
  // Moves the entry to the completions thread, where it is both committed and settled.
  void report_if_due(std::uint64_t id) TRIGGERD_REQUIRES(mutex_);
  void told();

  const std::shared_ptr<Completions> completions_;
  Mutex mutex_;
  CondVar idle_;
  std::unordered_map<std::uint64_t, Entry> entries_ TRIGGERD_GUARDED_BY(mutex_);
  std::size_t due_ TRIGGERD_GUARDED_BY(mutex_) = 0;  // with the completions thread
  std::uint64_t next_id_ TRIGGERD_GUARDED_BY(mutex_) = 1;
  bool accepting_ TRIGGERD_GUARDED_BY(mutex_) = false;
};

}  // namespace triggerd::plugin
