// [[triggers]] with their settings.
#include "base/text.hpp"
#include "config/names.hpp"
#include "config/order.hpp"
#include "config/sections.hpp"
#include "config/settings.hpp"
#include "config/table_reader.hpp"
#include "config/topic_filter.hpp"

namespace triggerd::config {
namespace {

constexpr Millis kLongestCall = std::chrono::hours(24);
constexpr double kMaxBackoffFactor = 1000;
constexpr std::uint64_t kSmallestWorker = std::uint64_t{64} << 20;
constexpr std::uint64_t kLargestWorker = std::uint64_t{1} << 50;

void read_name(TableReader& reader, Trigger& trigger) {
  if (reader.get("name") == nullptr) reader.report_missing("name", "name = \"high-temperature\"");
  const auto name = reader.text("name");
  if (!name) return;
  trigger.name = name->value;
  if (!is_name(trigger.name)) {
    reader.file().error(name->spot,
                        "\"{}\" is not a valid trigger name; use at most {} letters, digits, "
                        "\"_\", \".\" and \"-\", starting with a letter or digit",
                        name->shown, kMaxName);
  }
}

// "PLUGIN" or "PLUGIN:SERVICE".
void read_service_name(TableReader& reader, std::string_view key, const Text& said,
                       std::string& plugin, std::string& service) {
  const std::size_t colon = said.value.find(':');
  plugin = said.value.substr(0, colon);
  const bool names_service = colon != std::string::npos;
  if (names_service) service = said.value.substr(colon + 1);
  if (!is_plugin_name(plugin) || (names_service && !is_plugin_name(service))) {
    reader.file().error(said.spot,
                        "{} \"{}\" is not \"PLUGIN\" or \"PLUGIN:SERVICE\"; each consists of "
                        "letters, digits, \"_\" and \"-\", and starts with a letter or digit",
                        key, said.shown);
  }
}

void read_service(TableReader& reader, Trigger& trigger) {
  trigger.service_place = reader.file().place(reader.spot_of("service"));
  if (reader.get("service") == nullptr) reader.report_missing("service", "service = \"log\"");
  if (const auto said = reader.text("service")) {
    read_service_name(reader, "service", *said, trigger.plugin, trigger.service);
  }
  trigger.monitor_place = reader.file().place(reader.spot_of("monitor"));
  const auto monitor = reader.text("monitor");
  if (monitor && !monitor->value.empty()) {
    read_service_name(reader, "monitor", *monitor, trigger.monitor_plugin, trigger.monitor_service);
  }
}

void read_order(TableReader& reader, TriggerDraft& draft) {
  Trigger& trigger = draft.trigger;
  const SourceFile& file = reader.file();
  trigger.concurrency_place = file.place(reader.spot_of("concurrency"));
  reader.integer("concurrency", trigger.concurrency, 1, 1024);
  if (const auto said = reader.text("order")) {
    auto order = parse_order(said->value);
    if (!order) {
      file.error(said->spot, "order = \"{}\": {}", said->shown, order.error().message);
      return;
    }
    trigger.order = *std::move(order);
    if (trigger.order.by == Order::By::property) {
      draft.mqtt5_keys.push_back({"order = \"property:NAME\"", file.place(said->spot)});
    }
  } else if (reader.get("order") != nullptr) {
    return;
  }
  if (trigger.order.by == Order::By::trigger && trigger.concurrency > 1) {
    file.error(
        reader.spot_of("concurrency"),
        "concurrency = {} has no effect with order = \"trigger\"; write order = \"topic\" or "
        "\"none\", or concurrency = 1",
        trigger.concurrency);
  }
}

void read_retry(TableReader& trigger_reader, Trigger& trigger) {
  auto reader = trigger_reader.table("retry");
  if (!reader) return;
  reader->integer("max_attempts", trigger.retry.max_attempts, 1, 1'000'000);
  reader->number("backoff", trigger.retry.backoff.factor, 1, kMaxBackoffFactor);
  read_backoff(*reader, "interval", "max_interval", trigger.retry.backoff);
  reader->report_unknown_keys();
}

void read_dead_letter_topic(TableReader& reader, Trigger& trigger) {
  const auto topic = reader.text("dead_letter_topic");
  if (!topic || topic->value.empty()) return;  // "" means none
  trigger.dead_letter_topic = topic->value;
  if (const auto checked = check_topic_name(topic->value); !checked) {
    reader.file().error(topic->spot, "dead_letter_topic \"{}\" {}", topic->shown,
                        checked.error().message);
  }
}

void read_isolation(TableReader& reader, Trigger& trigger) {
  trigger.isolation_place = reader.file().place(reader.spot_of("isolation"));
  // Programs of jq can end the process that they run in, so it is the service's own.
  if (!trigger.content.empty()) trigger.isolation = Isolation::process;
  reader.choice("isolation", trigger.isolation,
                {{"none", Isolation::none}, {"process", Isolation::process}});
  reader.size("isolation_memory", trigger.isolation_memory, kSmallestWorker, kLargestWorker);
  if (reader.get("isolation_memory") != nullptr && trigger.isolation == Isolation::none) {
    reader.file().error(reader.spot_of("isolation_memory"),
                        "isolation_memory has no effect without isolation = \"process\"");
  }
}

void read_brief(TableReader& reader, Trigger& trigger) {
  bool brief = false;
  if (!reader.boolean("brief", brief)) return;
  trigger.brief = brief;
  if (brief && !trigger.content.empty()) {
    reader.file().error(reader.spot_of("brief"),
                        "brief = true has no effect with when, transform or schema: the receiving "
                        "thread evaluates nothing");
  } else if (brief && trigger.isolation == Isolation::process) {
    reader.file().error(reader.spot_of("brief"),
                        "brief = true has no effect with isolation = \"process\": the receiving "
                        "thread cannot call a service in another process");
  } else if (brief && trigger.pacing.delay > Millis(0)) {
    reader.file().error(reader.spot_of("brief"),
                        "brief = true has no effect with delay: the receiving thread hands on only "
                        "what it has just read");
  }
}

void read_trigger_log_level(TableReader& reader, Trigger& trigger) {
  LogLevel level = LogLevel::info;
  if (read_log_level(reader, "log_level", level)) trigger.log_level = level;
}

void read_trigger_settings(TableReader& reader, Trigger& trigger) {
  const Node* node = reader.get("settings");
  if (node == nullptr) return;
  if (node->as<Node::Table>() == nullptr) {
    reader.file().error(node->spot, "settings must be a table, not {}; write [triggers.settings]",
                        type_name(*node));
    return;
  }
  trigger.settings = read_settings(reader.file(), *node);
}

}  // namespace

void read_trigger(const SourceFile& file, const Node& table, Sections& sections) {
  TableReader reader(file, table, "[[triggers]]");
  TriggerDraft draft;
  Trigger& trigger = draft.trigger;
  trigger.package = file.package;
  trigger.place = file.place(table.spot);
  trigger.written = std::make_shared<Node>(table);
  read_name(reader, trigger);
  draft.name_place = file.place(reader.spot_of("name"));
  reader.string("description", trigger.description);
  reader.boolean("enabled", trigger.enabled);
  draft.alias_place = file.place(reader.spot_of("alias"));
  if (reader.get("alias") == nullptr) reader.report_missing("alias", "alias = \"plant\"");
  if (const auto alias = reader.text("alias")) {
    trigger.alias = alias->value;
    draft.alias_shown = alias->shown;
  }
  read_topics(reader, draft);
  read_service(reader, trigger);
  read_order(reader, draft);
  read_deduplicate(reader, draft);
  reader.integer("queue_capacity", trigger.queue_capacity, 1, 1'000'000);
  read_pacing(reader, trigger);
  reader.choice("acknowledge", trigger.acknowledge,
                {{"durable", Acknowledge::durable},
                 {"finished", Acknowledge::finished},
                 {"received", Acknowledge::received}});
  reader.duration("timeout", trigger.timeout, Millis(1), kLongestCall);
  reader.choice(
      "retained", trigger.retained,
      {{"process", Retained::process}, {"skip", Retained::skip}, {"once", Retained::once}});
  if (draft.retain_as_published && trigger.retained != Retained::process) {
    file.diagnostics.add(
        *draft.retain_as_published,
        "retain_as_published = true works only with retained = \"process\": the flag then says how "
        "a message was published, not why it was sent; leave one of them out");
  }
  read_retry(reader, trigger);
  reader.choice("on_exhausted", trigger.on_exhausted,
                {{"dead-letter", OnExhausted::dead_letter},
                 {"suspend", OnExhausted::suspend},
                 {"discard", OnExhausted::discard}});
  read_dead_letter_topic(reader, trigger);
  read_content(reader, trigger);
  reader.duration("monitor_interval", trigger.monitor_interval, Millis(100), kLongestCall);
  read_trigger_log_level(reader, trigger);
  read_isolation(reader, trigger);
  read_brief(reader, trigger);
  read_trigger_settings(reader, trigger);
  reader.report_unknown_keys();
  sections.triggers.push_back(std::move(draft));
}

}  // namespace triggerd::config
