#include "trigger/running_report.hpp"

#include "config/trigger.hpp"

namespace triggerd::trigger {
namespace {

std::string why_not(const mqtt::ConnectionStatus& status, const RunningReport::Facts& facts) {
  if (facts.disabled) return "disabled";
  if (facts.suspended) return "suspended";
  return status.reason.empty() ? std::string(mqtt::to_string(status.state)) : status.reason;
}

}  // namespace

void RunningReport::note(const mqtt::ConnectionStatus& status, const Facts& facts) {
  if (&status != &status_) status_ = status;
  using State = mqtt::ConnectionStatus::State;
  const bool settled = status_.state == State::up || status_.state == State::waiting;
  const bool running = status_.running() && facts.serves && !facts.suspended && !facts.disabled;
  if (running) {
    if (!running_) {
      log_.info("trigger.running", {{"trigger", trigger_.name}, {"alias", trigger_.alias}},
                "{}:{} handles {} filter{}", trigger_.plugin, facts.service, trigger_.topics.size(),
                trigger_.topics.size() == 1 ? "" : "s");
      because_.clear();
    }
  } else if (settled && facts.serves) {
    const std::string because = why_not(status_, facts);
    if (because != because_) {
      log_.warn("trigger.not_running", {{"trigger", trigger_.name}, {"alias", trigger_.alias}},
                "{}", because);
      because_ = because;
    }
  }
  if (running_.exchange(running) != running) changed_();
}

}  // namespace triggerd::trigger
