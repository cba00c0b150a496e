// exec: runs a command as a service. Messages go to its standard input as lines of JSON, verdicts
// come from its standard output.
#include <cstdint>
#include <stdexcept>
#include <string>
#include <trigger/plugin.hpp>
#include <utility>
#include <vector>

#include "item.hpp"
#include "pool.hpp"
#include "protocol.hpp"
#include "settings.hpp"

namespace exec_plugin {
namespace {

using trigger::Message;
using trigger::Verdict;

// It has no handle_batch, though it makes batches: `concurrency` counts calls, and users are
// promised that it counts messages.
class Exec {
 public:
  static constexpr bool concurrent = true;

  explicit Exec(const trigger::Context& context)
      : context_(context), settings_(read_settings(context)), pool_(settings_, context_) {}

  void start() { pool_.start(); }

  void stop() {
    for (Item& item : pool_.stop()) {
      item.opened.clear();
      left_.push_back(std::move(item));
    }
  }

  Verdict handle(const Message& message) {
    const auto left =
        std::chrono::nanoseconds(static_cast<std::int64_t>(message.raw().deadline_mono_ns) -
                                 context_.monotonic().time_since_epoch().count());
    pool_.submit({std::to_string(message.raw().token),
                  opened_message(message, settings_.always_base64), message.completion(),
                  Clock::now() + left});
    return Verdict::pending();
  }

  void probe() {
    const std::string problem = pool_.problem();
    if (!problem.empty()) throw std::runtime_error(problem);
  }

 private:
  const trigger::Context context_;
  const Settings settings_;
  Pool pool_;

  // Messages that a stop has interrupted. The runtime takes them back by itself, which does not
  // count as an attempt; destroying a Completion while the instance is started would count as one.
  // So they are kept until the end.
  std::vector<Item> left_;
};

}  // namespace
}  // namespace exec_plugin

TRIGGER_PLUGIN("exec", "1.0.0", trigger::service<exec_plugin::Exec>("exec"));
