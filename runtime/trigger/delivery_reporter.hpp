// Reports what becomes of one trigger's messages: a log line for each outcome that somebody has to
// know about, and an event for `tail` while anybody listens. It decides nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/mutex.hpp"
#include "config/config_fwd.hpp"
#include "dispatch/dispatch_event.hpp"
#include "management/event_bus.hpp"

namespace triggerd::trigger {

// Thread-safe. Its lock guards only when an outage was last reported, and is not held while a line
// is written.
class DeliveryReporter {
 public:
  // `service_name` returns the name of the service that serves at the moment; called on any thread.
  // All outlive the reporter.
  DeliveryReporter(const config::Trigger& config, Log& log, management::EventBus& events,
                   const Clock& clock, std::function<std::string()> service_name);

  void finished(const dispatch::Delivery& delivery) const;
  // The inbox keeps the message as dead letter `number`.
  void dead_letter(const dispatch::Delivery& delivery, std::int64_t number,
                   const std::string& reason) const;
  void dead_letter_failed(const dispatch::Delivery& delivery, const std::string& why) const;
  void lost(const dispatch::Delivery& delivery, const std::string& why) const;
  void report(const dispatch::DispatchEvent& event);

  // One for each alternative of DispatchEvent.
  void operator()(const dispatch::event::Retrying& event) const;
  void operator()(const dispatch::event::PutOff& event) const;
  void operator()(const dispatch::event::Unavailable& event);
  void operator()(const dispatch::event::Available& event);
  void operator()(const dispatch::event::Discarded& event) const;
  void operator()(const dispatch::event::Expired& event) const;
  void operator()(const dispatch::event::Duplicate& event) const;
  void operator()(const dispatch::event::TooManyKeys& event) const;
  void operator()(const dispatch::event::Suspended& event) const;
  void operator()(const dispatch::event::Overrunning& event) const;
  void operator()(const dispatch::event::Stalled& event) const;
  void operator()(const dispatch::event::NotBrief& event) const;
  // What these mean depends on the trigger's state, so the trigger reports them.
  void operator()(const dispatch::event::ProbeEnded&) const {}
  void operator()(const dispatch::event::HalfOpenEnded&) const {}

 private:
  std::string service() const;  // "plugin:service"
  std::vector<LogField> constant_fields(const dispatch::Delivery& delivery) const;
  // Only for a delivery that the dispatcher is done with.
  std::vector<LogField> fields(const dispatch::Delivery& delivery) const;
  // `took`: only for a delivery that the dispatcher is done with.
  void tell(const dispatch::Delivery& delivery, const char* verdict, const std::string& reason,
            std::uint32_t attempt, std::optional<Monotonic::duration> took = std::nullopt) const;

  const config::Trigger& config_;
  Log& log_;
  management::EventBus& events_;
  const Clock& clock_;
  const std::function<std::string()> service_name_;
  Mutex mutex_;
  // When the outage that goes on was last reported.
  std::optional<Monotonic> outage_told_ TRIGGERD_GUARDED_BY(mutex_);
};

}  // namespace triggerd::trigger
