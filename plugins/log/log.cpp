// log: writes each message to the runtime's log, with everything that came with it.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <trigger/plugin.hpp>
#include <utility>

namespace {

// The properties that a PUBLISH can carry (MQTT 5.0, section 3.3.2.3), and what they hold.
enum class Holds { number, text, binary, pair };
struct PropertyName {
  std::uint32_t id;
  std::string_view name;
  Holds holds;
};
constexpr std::array<PropertyName, 8> property_names{{
    {0x01, "payload-format", Holds::number},
    {0x02, "message-expiry", Holds::number},
    {0x03, "content-type", Holds::text},
    {0x08, "response-topic", Holds::text},
    {0x09, "correlation-data", Holds::binary},
    {0x0B, "subscription-id", Holds::number},
    {0x23, "topic-alias", Holds::number},
    {0x26, "user", Holds::pair},
}};

constexpr std::size_t max_property = 200;  // bytes shown of a property's name or value

std::string quoted(std::string_view bytes, std::size_t limit) {
  return '"' + trigger::printable(bytes, limit) + '"';
}

std::string show(const trigger_property& property) {
  const std::string_view name(property.name.ptr, property.name.len);
  const std::string_view value(reinterpret_cast<const char*>(property.value.ptr),
                               property.value.len);
  for (const PropertyName& known : property_names) {
    if (known.id != property.id) continue;
    std::string out(known.name);
    if (known.holds == Holds::number) return out + "=" + std::to_string(property.number);
    if (known.holds == Holds::pair) out += ":" + trigger::printable(name, max_property);
    return out + "=" + quoted(value, max_property);
  }
  return "property-" + std::to_string(property.id) + "=" +
         (property.value.len == 0 ? std::to_string(property.number) : quoted(value, max_property));
}

trigger::Level level_setting(const trigger::Settings& settings) {
  constexpr std::array<std::pair<std::string_view, trigger::Level>, 5> levels{{
      {"trace", trigger::Level::trace},
      {"debug", trigger::Level::debug},
      {"info", trigger::Level::info},
      {"warn", trigger::Level::warn},
      {"error", trigger::Level::error},
  }};
  const std::string wanted = settings.text("level", "info");
  for (const auto& [name, level] : levels) {
    if (name == wanted) return level;
  }
  throw trigger::SettingError("level", "must be trace, debug, info, warn or error");
}

std::size_t max_payload_setting(const trigger::Settings& settings) {
  const std::int64_t bytes = settings.integer("max_payload", 200);
  if (bytes < 0) throw trigger::SettingError("max_payload", "must not be negative");
  return static_cast<std::size_t>(bytes);
}

class Log {
 public:
  // Nothing changes after construction.
  static constexpr bool concurrent = true;

  explicit Log(const trigger::Context& context)
      : context_(context),
        level_(level_setting(context.settings())),
        max_payload_(max_payload_setting(context.settings())) {
    context.settings().require_known({"level", "max_payload"});
  }

  trigger::Verdict handle(const trigger::Message& message) {
    if (context_.log_enabled(level_)) context_.log(level_, line(message));
    return trigger::Verdict::ok();
  }

 private:
  std::string line(const trigger::Message& message) const {
    std::string out = trigger::printable(message.topic(), 65535);
    out += " qos=" + std::to_string(message.qos());
    if (message.retained()) out += " retain";
    if (message.duplicate()) out += " dup";
    if (message.attempt() > 1) out += " attempt=" + std::to_string(message.attempt());
    out += " id=" + std::string(message.id());
    for (std::size_t i = 0; i < message.property_count(); ++i) {
      out += ' ' + show(message.properties()[i]);
    }
    // Last, because a long log line is cut off at its end.
    out += " size=" + std::to_string(message.payload().size());
    out += " payload=" + quoted(message.payload(), max_payload_);
    return out;
  }

  const trigger::Context context_;
  const trigger::Level level_;
  const std::size_t max_payload_;
};

}  // namespace

TRIGGER_PLUGIN("log", "1.0.0", trigger::service<Log>("log"));
