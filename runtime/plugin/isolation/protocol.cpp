#include "plugin/isolation/protocol.hpp"

#include <algorithm>
#include <cmath>

#include "plugin/abi_text.hpp"
#include "plugin/isolation/codec.hpp"

namespace triggerd::plugin::isolation {
namespace {

// What publishes and states have beside their payload.
constexpr std::size_t kBeside = std::size_t{1} << 20;
constexpr std::size_t kMaxPublish = (std::size_t{256} << 20) + 4 * kBeside;
constexpr std::size_t kMaxState = (std::size_t{1} << 30) + kBeside;
constexpr std::size_t kMaxOther = std::size_t{1} << 20;

constexpr std::size_t kMaxReason = sizeof(trigger_result::reason) - 1;
constexpr std::size_t kPropertyBytes = 4 + 8 + 2 * 9;

trigger_str str(std::string_view text) {
  return {text.data(), text.size()};
}

trigger_bytes bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

void put_properties(Encoder& out, const trigger_property* properties, std::size_t count) {
  out.number(static_cast<std::uint32_t>(count));
  for (std::size_t i = 0; i < count; ++i) {
    const trigger_property& property = properties[i];
    out.number(property.id).number(property.number);
    out.text(view(property.name)).text(view(property.value));
  }
}

void get_properties(Decoder& in, std::vector<trigger_property>& into) {
  const std::uint32_t count = in.count(kPropertyBytes);
  into.clear();
  into.reserve(count);
  for (std::uint32_t i = 0; i < count && !in.failed(); ++i) {
    trigger_property property{};
    property.id = in.number<std::uint32_t>();
    property.number = in.number<std::uint64_t>();
    property.name = str(in.text());
    property.value = bytes_of(in.text());
    into.push_back(property);
  }
}

void put(Encoder& out, const Answer& answer) {
  out.number(answer.code).number(answer.retry_after_ms).text(answer.reason);
  out.number(static_cast<std::uint8_t>(answer.unseen));
}

Answer get_answer(Decoder& in) {
  Answer answer;
  answer.code = in.number<std::int32_t>();
  answer.retry_after_ms = in.number<std::uint32_t>();
  answer.reason = in.text().substr(0, kMaxReason);
  answer.unseen = in.number<std::uint8_t>() != 0;
  return answer;
}

template <class T>
std::optional<T> whole(const Decoder& in, T value) {
  if (!in.complete()) return std::nullopt;
  return value;
}

}  // namespace

std::size_t longest_frame(std::uint32_t type, bool state_is_due) {
  switch (static_cast<ToHost>(type)) {
    case ToHost::publish:
      return kMaxPublish;
    case ToHost::reply:
      return state_is_due ? kMaxState : kMaxOther;
    case ToHost::complete:
    case ToHost::extend:
    case ToHost::metrics:
    case ToHost::log:
    case ToHost::confined:
      return kMaxOther;
    default:
      return 0;
  }
}

// ---- Orders ----

std::string encode(const Setup& setup) {
  std::string bytes;
  Encoder out(bytes);
  const config::Trigger& trigger = setup.trigger;
  out.text(setup.plugin).text(setup.file).number(setup.generation).number(setup.done_timeout_ms);
  out.number(setup.memory).number(setup.log_level);
  out.text(trigger.name).text(trigger.alias).text(trigger.plugin).text(trigger.service);
  out.number(trigger.concurrency).number(std::int64_t{trigger.timeout.count()});
  const content::Options& content = trigger.content;
  out.text(content.when).text(content.transform).text(content.schema);
  out.number(static_cast<std::uint8_t>(content.split));
  out.number(static_cast<std::uint8_t>(content.input));
  out.number(static_cast<std::uint8_t>(content.on_error));
  out.number(std::int64_t{content.timeout.count()}).number(content.max_size);
  out.text(trigger.settings.json);
  out.number(static_cast<std::uint32_t>(trigger.settings.flat.size()));
  for (const config::Setting& setting : trigger.settings.flat) {
    out.text(setting.key).text(setting.value).number(static_cast<std::uint32_t>(setting.type));
  }
  return bytes;
}

std::optional<Setup> decode_setup(std::string_view bytes) {
  Decoder in(bytes);
  Setup setup;
  setup.plugin = in.text();
  setup.file = in.text();
  setup.generation = in.number<unsigned>();
  setup.done_timeout_ms = in.number<std::uint64_t>();
  setup.memory = in.number<std::uint64_t>();
  setup.log_level = in.number<std::uint32_t>();
  config::Trigger& trigger = setup.trigger;
  trigger.name = in.text();
  trigger.alias = in.text();
  trigger.plugin = in.text();
  trigger.service = in.text();
  trigger.concurrency = in.number<std::uint32_t>();
  trigger.timeout = Millis(in.number<std::int64_t>());
  content::Options& content = trigger.content;
  content.when = in.text();
  content.transform = in.text();
  content.schema = in.text();
  content.split = in.number<std::uint8_t>() != 0;
  content.input = static_cast<content::Input>(in.number<std::uint8_t>());
  content.on_error = static_cast<content::OnError>(in.number<std::uint8_t>());
  content.timeout = Millis(in.number<std::int64_t>());
  content.max_size = in.number<std::uint64_t>();
  trigger.settings.json = in.text();
  const std::uint32_t count = in.count(2 * 9 + 4);
  for (std::uint32_t i = 0; i < count; ++i) {
    config::Setting setting;
    setting.key = in.text();
    setting.value = in.text();
    setting.type = static_cast<config::Setting::Type>(in.number<std::uint32_t>());
    trigger.settings.flat.push_back(std::move(setting));
  }
  return whole(in, std::move(setup));
}

std::string encode(const Loaded& loaded) {
  std::string bytes;
  Encoder out(bytes);
  out.text(loaded.version).number(loaded.chosen);
  out.number(static_cast<std::uint32_t>(loaded.services.size()));
  for (const Loaded::Service& service : loaded.services) {
    out.text(service.name).number(service.flags);
    out.number(static_cast<std::uint8_t>(service.can_be_probed)).number(service.max_batch);
  }
  return bytes;
}

std::optional<Loaded> decode_loaded(std::string_view bytes) {
  Decoder in(bytes);
  Loaded loaded;
  loaded.version = in.text();
  loaded.chosen = in.number<std::uint32_t>();
  const std::uint32_t count = in.count(9 + 4 + 1 + 4);
  for (std::uint32_t i = 0; i < count; ++i) {
    Loaded::Service service;
    service.name = in.text();
    service.flags = in.number<std::uint32_t>();
    service.can_be_probed = in.number<std::uint8_t>() != 0;
    const auto batch = in.number<std::uint32_t>();
    service.max_batch = std::clamp<std::uint32_t>(batch, 1, kMaxBatch);
    loaded.services.push_back(std::move(service));
  }
  if (loaded.services.empty() || loaded.chosen >= loaded.services.size()) return std::nullopt;
  return whole(in, std::move(loaded));
}

std::string encode(const Reply& reply) {
  std::string bytes;
  Encoder(bytes)
      .number(static_cast<std::uint8_t>(reply.ok))
      .number(static_cast<std::uint8_t>(reply.may_pass))
      .text(reply.bytes);
  return bytes;
}

std::optional<Reply> decode_reply(std::string_view bytes) {
  Decoder in(bytes);
  Reply reply;
  reply.ok = in.number<std::uint8_t>() != 0;
  reply.may_pass = in.number<std::uint8_t>() != 0;
  reply.bytes = in.text();
  return whole(in, std::move(reply));
}

std::string encode(const SavedState& state) {
  std::string bytes;
  Encoder(bytes).number(state.version).text(state.bytes);
  return bytes;
}

std::optional<SavedState> decode_state(std::string_view bytes) {
  Decoder in(bytes);
  SavedState state;
  state.version = in.number<std::uint32_t>();
  state.bytes = in.text();
  return whole(in, std::move(state));
}

std::string encode(const std::vector<Metric>& metrics) {
  std::string bytes;
  Encoder out(bytes);
  out.number(static_cast<std::uint32_t>(metrics.size()));
  for (const Metric& metric : metrics) {
    out.text(metric.name).text(metric.help).number(metric.kind).number(metric.value);
  }
  return bytes;
}

std::optional<std::vector<Metric>> decode_metrics(std::string_view bytes) {
  Decoder in(bytes);
  const auto known = std::make_unique<Metrics>();  // which judges names and kinds
  std::vector<Metric> metrics;
  const std::uint32_t count = in.count(2 * 9 + 4 + 8);
  for (std::uint32_t i = 0; i < count; ++i) {
    Metric metric;
    metric.name = in.text();
    metric.help = in.text();
    metric.kind = in.number<std::uint32_t>();
    metric.value = in.number<double>();
    std::uint64_t id = 0;
    const bool sound = known->define(metric.name, metric.kind, metric.help, id) == TRIGGER_OK &&
                       id == metrics.size() + 1 && std::isfinite(metric.value);
    if (sound) metrics.push_back(std::move(metric));
  }
  return whole(in, std::move(metrics));
}

// ---- Messages ----

void encode(const trigger_message& message, bool follows, std::string& into) {
  Encoder out(into);
  out.number(message.token).number(message.flags).number(message.qos).number(message.attempt);
  out.number(message.received_unix_ns).number(static_cast<std::uint8_t>(follows));
  out.text(view(message.id)).text(view(message.topic)).text(view(message.payload));
  put_properties(out, message.properties, message.property_count);
}

bool decode_message(std::string& bytes, OwnedMessage& into) {
  into.bytes.swap(bytes);
  Decoder in(into.bytes);
  trigger_message& message = into;
  message = {};
  message.struct_size = sizeof message;
  message.token = in.number<std::uint64_t>();
  message.flags = in.number<std::uint32_t>();
  message.qos = in.number<std::uint32_t>();
  message.attempt = in.number<std::uint32_t>();
  message.received_unix_ns = in.number<std::int64_t>();
  into.follows = in.number<std::uint8_t>() != 0;
  message.id = str(in.text());
  message.topic = str(in.text());
  message.payload = bytes_of(in.text());
  get_properties(in, into.owned_properties);
  message.properties = into.owned_properties.data();
  message.property_count = into.owned_properties.size();
  return in.complete();
}

void encode(const Verdict& verdict, std::string& into) {
  Encoder out(into);
  out.number(verdict.token).number(verdict.busy_ns);
  put(out, verdict.answer);
}

std::optional<Verdict> decode_verdict(std::string_view bytes) {
  Decoder in(bytes);
  Verdict verdict;
  verdict.token = in.number<std::uint64_t>();
  verdict.busy_ns = in.number<std::uint32_t>();
  verdict.answer = get_answer(in);
  return whole(in, std::move(verdict));
}

// ---- Calls ----

std::string encode(const Complete& call) {
  std::string bytes;
  Encoder out(bytes);
  out.number(call.place).number(call.token);
  put(out, call.answer);
  return bytes;
}

std::optional<Complete> decode_complete(std::string_view bytes) {
  Decoder in(bytes);
  Complete call;
  call.place = in.number<std::uint32_t>();
  call.token = in.number<std::uint64_t>();
  call.answer = get_answer(in);
  return whole(in, std::move(call));
}

std::string encode(const Extend& call) {
  std::string bytes;
  Encoder(bytes).number(call.place).number(call.token).number(call.ms);
  return bytes;
}

std::optional<Extend> decode_extend(std::string_view bytes) {
  Decoder in(bytes);
  Extend call;
  call.place = in.number<std::uint32_t>();
  call.token = in.number<std::uint64_t>();
  call.ms = in.number<std::uint32_t>();
  return whole(in, call);
}

std::string encode(std::uint32_t place, std::uint64_t id, const trigger_publish& request) {
  std::string bytes;
  Encoder out(bytes);
  out.number(place).number(id).number(request.flags).number(request.qos);
  out.text(view(request.alias)).text(view(request.topic)).text(view(request.payload));
  put_properties(out, request.properties, request.property_count);
  return bytes;
}

bool decode_publish(std::string_view bytes, Publish& into) {
  Decoder in(bytes);
  into.place = in.number<std::uint32_t>();
  into.id = in.number<std::uint64_t>();
  trigger_publish& request = into.request;
  request = {};
  request.struct_size = sizeof request;
  request.flags = in.number<std::uint32_t>();
  request.qos = in.number<std::uint32_t>();
  request.alias = str(in.text());
  request.topic = str(in.text());
  request.payload = bytes_of(in.text());
  get_properties(in, into.properties);
  request.properties = into.properties.data();
  request.property_count = into.properties.size();
  return in.complete();
}

std::string encode(const Published& published) {
  std::string bytes;
  Encoder(bytes).number(published.id).number(published.code).text(published.reason);
  return bytes;
}

std::optional<Published> decode_published(std::string_view bytes) {
  Decoder in(bytes);
  Published published;
  published.id = in.number<std::uint64_t>();
  published.code = in.number<std::int32_t>();
  published.reason = in.text();
  return whole(in, std::move(published));
}

std::string encode(const LogLine& line) {
  std::string bytes;
  Encoder(bytes).number(line.level).text(line.event).text(line.text);
  return bytes;
}

std::optional<LogLine> decode_log_line(std::string_view bytes) {
  Decoder in(bytes);
  LogLine line;
  line.level = in.number<std::uint32_t>();
  line.event = in.text();
  line.text = in.text();
  return whole(in, std::move(line));
}

}  // namespace triggerd::plugin::isolation
