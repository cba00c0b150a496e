// thermostat: reports once that a sensor is too hot, and once that it is normal again.
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <trigger/plugin.hpp>
#include <utility>

#include "common/settings.hpp"
#include "common/topic_template.hpp"
#include "reading.hpp"

namespace thermostat {
namespace {

double hysteresis_setting(const trigger::Settings& settings) {
  const double celsius = settings.number("hysteresis_celsius", 2);
  if (celsius < 0) throw trigger::SettingError("hysteresis_celsius", "must not be negative");
  return celsius;
}

std::uint64_t count_setting(const trigger::Settings& settings, std::string_view key,
                            std::int64_t absent, std::int64_t least) {
  const std::int64_t count = settings.integer(key, absent);
  if (count < least) throw trigger::SettingError(key, "must be at least " + std::to_string(least));
  return static_cast<std::uint64_t>(count);
}

// The service "high-temperature". A sensor is a topic; a reading is a payload.
//
// It is not concurrent: the readings of a sensor make sense only in their order. Its own state is
// still locked, because the results of publishes arrive on another thread.
class HighTemperature {
 public:
  static constexpr std::uint32_t state_version = 1;

  explicit HighTemperature(const trigger::Context& context)
      : context_(context),
        limit_(context.settings().number("limit_celsius")),
        hysteresis_(hysteresis_setting(context.settings())),
        alert_topic_("alert_topic", context.settings().text("alert_topic", "alerts/{topic}")),
        alert_qos_(plugin_common::qos_setting(context.settings(), "alert_qos", 1)),
        max_sensors_(count_setting(context.settings(), "max_sensors", 10'000, 1)),
        outage_every_(count_setting(context.settings(), "simulate_outage_every", 0, 0)) {
    context.settings().require_known({"limit_celsius", "hysteresis_celsius", "alert_topic",
                                      "alert_qos", "max_sensors", "simulate_outage_every"});
  }

  trigger::Verdict handle(const trigger::Message& message) {
    const std::optional<double> celsius = parse_celsius(message.payload());
    if (!celsius) {
      return trigger::Verdict::reject(
          "the payload \"" + trigger::printable(message.payload(), 60) +
          "\" is not a temperature: send a number of degrees Celsius, such as 21.5");
    }
    if (outage(message)) return trigger::Verdict::retry("the simulated dependency is down");

    const std::string sensor(message.topic());
    const std::optional<bool> to_high = change_for(sensor, *celsius);
    if (!to_high) return trigger::Verdict::ok();

    const auto [topic, problem] = alert_topic_.expand(message);
    if (!topic) return trigger::Verdict::reject(problem);
    if (const std::optional<std::string> busy = begin_change(sensor, *to_high)) {
      return trigger::Verdict::retry(*busy);
    }
    return publish(Change(*this, sensor, *to_high), *celsius, *topic, message);
  }

  // The sensors that are high, each followed by a NUL, which no topic contains (MQTT 3.1.1, 4.7.3).
  std::string save() const {
    const std::lock_guard lock(mutex_);
    std::string state;
    for (const auto& [name, sensor] : sensors_) {
      if (sensor.high) state.append(name).push_back('\0');
    }
    return state;
  }

  void restore(std::uint32_t version, std::string_view state) {
    if (version != state_version) {
      throw std::runtime_error("the state has version " + std::to_string(version) +
                               ", but this service reads version " + std::to_string(state_version));
    }
    std::map<std::string, Sensor> sensors;
    while (!state.empty()) {
      const std::size_t end = state.find('\0');
      if (end == std::string_view::npos) throw std::runtime_error("the state is cut off");
      sensors[std::string(state.substr(0, end))] = {true, false};
      state.remove_prefix(end + 1);
    }
    const std::lock_guard lock(mutex_);
    sensors_ = std::move(sensors);
  }

 private:
  struct Sensor {
    bool high = false;
    bool changing = false;  // its alert is being published
  };

  // A sensor's change of state, which takes effect only once the server has its alert. If it is
  // destroyed before that, the sensor stays as it was, and the retry publishes again.
  class Change {
   public:
    Change(HighTemperature& owner, std::string sensor, bool to_high)
        : owner_(&owner), sensor_(std::move(sensor)), to_high_(to_high) {}
    Change(Change&& other) noexcept
        : owner_(std::exchange(other.owner_, nullptr)),
          sensor_(std::move(other.sensor_)),
          to_high_(other.to_high_) {}
    Change(const Change&) = delete;
    Change& operator=(const Change&) = delete;
    Change& operator=(Change&&) = delete;
    ~Change() { end(false); }

    void end(bool published) noexcept {
      if (owner_ != nullptr) {
        std::exchange(owner_, nullptr)->end_change(sensor_, to_high_, published);
      }
    }
    bool to_high() const noexcept { return to_high_; }
    const std::string& sensor() const noexcept { return sensor_; }

   private:
    HighTemperature* owner_;
    std::string sensor_;
    bool to_high_;
  };

  // Whether the simulated dependency is down for this reading: at the first attempt of every Nth.
  bool outage(const trigger::Message& message) {
    if (outage_every_ == 0 || message.attempt() != 1) return false;
    const std::lock_guard lock(mutex_);
    return ++good_readings_ % outage_every_ == 0;
  }

  // The state that the reading puts its sensor in; nullopt if nothing changes.
  std::optional<bool> change_for(const std::string& sensor, double celsius) const {
    const std::lock_guard lock(mutex_);
    const auto found = sensors_.find(sensor);
    const bool high = found != sensors_.end() && found->second.high;
    const bool changing = found != sensors_.end() && found->second.changing;
    if ((!high || changing) && celsius > limit_) return true;
    if ((high || changing) && celsius < limit_ - hysteresis_) return false;
    return std::nullopt;
  }

  // Marks the sensor as changing, or says why it cannot be now.
  std::optional<std::string> begin_change(const std::string& sensor, bool to_high) {
    const std::lock_guard lock(mutex_);
    const auto found = sensors_.find(sensor);
    if (found != sensors_.end()) {
      if (found->second.changing) return "an alert for this sensor is being published";
      found->second.changing = true;
      return std::nullopt;
    }
    if (sensors_.size() >= max_sensors_) {
      return "the number of high sensors has reached max_sensors: " + std::to_string(max_sensors_);
    }
    sensors_[sensor] = {!to_high, true};
    return std::nullopt;
  }

  void end_change(const std::string& sensor, bool to_high, bool published) noexcept {
    const std::lock_guard lock(mutex_);
    const auto found = sensors_.find(sensor);
    if (found == sensors_.end()) return;
    if (published) found->second.high = to_high;
    found->second.changing = false;
    if (!found->second.high) sensors_.erase(found);  // so that only high sensors take memory
  }

  trigger::Verdict publish(Change change, double celsius, const std::string& topic,
                           const trigger::Message& message) {
    const char* state = change.to_high() ? "high" : "normal";
    const std::string alert = "{\"sensor\":" + json_string(change.sensor()) +
                              ",\"celsius\":" + to_text(celsius) + ",\"limit\":" + to_text(limit_) +
                              ",\"state\":\"" + state + "\"}";
    const std::int32_t code = context_.publish(
        {topic, alert, alert_qos_},
        [this, celsius, change = std::move(change), completion = message.completion()](
            std::int32_t result, std::string_view reason) mutable {
          change.end(result == TRIGGER_OK);
          if (result == TRIGGER_OK) log(change, celsius);
          completion.complete(trigger::Verdict::from_publish(result, reason));
        });
    if (code != TRIGGER_OK) return trigger::Verdict::from_publish(code);
    return trigger::Verdict::pending();
  }

  void log(const Change& change, double celsius) const {
    const std::string text = change.sensor() + " is at " + to_text(celsius) + " degrees Celsius: ";
    if (change.to_high()) {
      context_.warn(text + "above its limit of " + to_text(limit_));
    } else {
      context_.info(text + "normal again");
    }
  }

  // Constant after construction.
  const trigger::Context context_;
  const double limit_;
  const double hysteresis_;
  const plugin_common::TopicTemplate alert_topic_;
  const int alert_qos_;
  const std::uint64_t max_sensors_;
  const std::uint64_t outage_every_;

  // Protected by mutex_.
  mutable std::mutex mutex_;
  std::map<std::string, Sensor> sensors_;  // those that are high or changing; others are normal
  std::uint64_t good_readings_ = 0;        // at their first attempt
};

}  // namespace
}  // namespace thermostat

TRIGGER_PLUGIN("thermostat", "1.0.0",
               trigger::service<thermostat::HighTemperature>("high-temperature"));
