#include "control/plugins/running_triggers.hpp"

#include <memory>
#include <utility>

namespace triggerd::control {
namespace {

class RunningTrigger final : public PluginUser {
 public:
  explicit RunningTrigger(TriggerPtr trigger) : trigger_(std::move(trigger)) {}

  const std::string& name() const override { return trigger_->name(); }
  Verdicts verdicts() const override {
    const dispatch::Dispatcher::Stats stats = trigger_->stats();
    return {.good = stats.ok,
            .bad = stats.retried + stats.rejected + stats.exhausted + stats.discarded};
  }
  Result<> make_successor(const PluginBuild& old, const PluginBuild& next) override {
    return trigger_->make_successor(*old.generation, next.generation);
  }
  void drop_successor() override { trigger_->drop_successor(); }
  bool quiesce(Monotonic deadline) override { return trigger_->quiesce(deadline); }
  void unquiesce() override { trigger_->unquiesce(); }
  void revoke_pending() override { trigger_->revoke_pending(); }
  Result<> hand_over(Monotonic deadline, bool with_state) override {
    return trigger_->hand_over(deadline, with_state);
  }
  void take_back(Monotonic deadline) override { trigger_->take_back(deadline); }
  void forget_predecessor() override { trigger_->forget_predecessor(); }

 private:
  const TriggerPtr trigger_;
};

}  // namespace

PluginUsers::List RunningTriggers::of(const PluginBuild& build) const {
  List users;
  const auto running = registry_.now();
  for (const TriggerPtr& trigger : running->triggers) {
    if (trigger->uses(*build.generation)) {
      users.push_back(std::make_shared<RunningTrigger>(trigger));
    }
  }
  return users;
}

std::vector<plugin::Metric> RunningTriggers::metrics(const std::string& trigger) const {
  const TriggerPtr running = registry_.now()->trigger(trigger);
  return running ? running->metrics() : std::vector<plugin::Metric>();
}

}  // namespace triggerd::control
