#include "admin/metrics.hpp"

#include <fmt/core.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>
#include <map>
#include <sstream>
#include <vector>

namespace triggerd::admin {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

constexpr double kSecondBounds[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                    0.01,   0.025,   0.05,   0.1,   0.25,   0.5,
                                    1,      2.5,     5,      10,    30,     60};
constexpr double kSizeBounds[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};

// One metric with all its label values.
class Family {
 public:
  Family(MetricType type, std::string name, std::string help) {
    family_.type = type;
    family_.name = std::move(name);
    family_.help = std::move(help);
  }
  void add(Labels labels, double value) {
    ClientMetric metric;
    metric.label = std::move(labels);
    if (family_.type == MetricType::Counter) {
      metric.counter.value = value;
    } else {
      metric.gauge.value = value;
    }
    family_.metric.push_back(std::move(metric));
  }
  template <std::size_t N>
  void add(Labels labels, const HistogramSnapshot& histogram, const double (&bounds)[N]) {
    ClientMetric metric;
    metric.label = std::move(labels);
    metric.histogram.sample_count = histogram.count;
    metric.histogram.sample_sum = histogram.sum;
    for (const double bound : bounds) {
      metric.histogram.bucket.push_back({histogram.at_most(bound), bound});
    }
    metric.histogram.bucket.push_back({histogram.count, std::numeric_limits<double>::infinity()});
    family_.metric.push_back(std::move(metric));
  }
  MetricFamily take() { return std::move(family_); }
  MetricType type() const { return family_.type; }

 private:
  MetricFamily family_;
};

Family counter(const char* name, const char* help) {
  return {MetricType::Counter, name, help};
}
Family gauge(const char* name, const char* help) {
  return {MetricType::Gauge, name, help};
}
Family histogram(const char* name, const char* help) {
  return {MetricType::Histogram, name, help};
}

double age(const std::optional<Wall>& oldest, Wall now) {
  if (!oldest) return 0;
  return std::max(0.0, std::chrono::duration<double>(now - *oldest).count());
}

double number(std::uint64_t count) {
  return static_cast<double>(count);
}

void add_triggers(std::vector<MetricFamily>& all,
                  const std::vector<management::TriggerStatus>& triggers, Wall now) {
  Family received = counter("triggerd_messages_received_total", "Messages received, by QoS.");
  Family handled = counter(
      "triggerd_messages_handled_total",
      "Verdicts: retry, timeout, invalid and unavailable count calls, the others messages.");
  Family handle =
      histogram("triggerd_handle_seconds", "Duration of a call to the service, until its verdict.");
  Family delivery =
      histogram("triggerd_delivery_seconds", "Time from the socket to a message's final verdict.");
  Family in_flight = gauge("triggerd_in_flight", "Messages that the service is processing.");
  Family queued =
      gauge("triggerd_queue_messages", "Messages in memory that wait for a worker or for a retry.");
  Family inbox = gauge("triggerd_inbox_messages", "Unfinished messages on disk.");
  Family oldest = gauge("triggerd_inbox_oldest_seconds",
                        "Age of the oldest unfinished message on disk; 0 if there is none.");
  Family retries =
      counter("triggerd_retries_total", "Failed attempts that are followed by another one.");
  Family dead = gauge("triggerd_dead_letters", "Dead letters in the inbox.");
  Family unavailable =
      gauge("triggerd_service_unavailable",
            "1 while something that the service needs is unavailable, and its messages wait.");
  Family inline_calls = counter("triggerd_brief_calls_total",
                                "Calls of a brief service on the thread that read the message.");
  Family not_brief = counter("triggerd_brief_calls_too_long_total",
                             "Of these, calls that took too long; after one, there are no more.");
  Family refused =
      counter("triggerd_messages_refused_total",
              "Messages over max_packet_size: acknowledged, but neither handled nor stored.");
  Family keys = gauge("triggerd_deduplicate_keys", "Keys of handled messages that are remembered.");
  Family forgotten = counter("triggerd_deduplicate_keys_forgotten_total",
                             "Keys forgotten before their window had passed: there were too many.");
  Family without_key = counter("triggerd_deduplicate_messages_without_key_total",
                               "Messages received that have no key, and are handled each time.");
  Family paused = counter("triggerd_paused_seconds_total", "Time for which receiving was paused.");
  Family waiting =
      gauge("triggerd_delay_messages", "Of the messages in memory, those whose delay is not over.");
  Family held = counter("triggerd_rate_held_seconds_total",
                        "Time for which messages waited for max_rate and nothing else.");
  Family state = gauge("triggerd_trigger_state", "1 for the state that the trigger is in.");
  for (const management::TriggerStatus& trigger : triggers) {
    const Labels labels = {{"trigger", trigger.definition.name}};
    const auto with = [&](const char* name, const char* value) {
      Labels more = labels;
      more.push_back({name, value});
      return more;
    };
    const management::TriggerCounters& counts = trigger.counters;
    received.add(with("qos", "0"), number(counts.received_qos[0]));
    received.add(with("qos", "1"), number(counts.received_qos[1]));
    received.add(with("qos", "2"), number(counts.received_qos[2]));
    handled.add(with("verdict", "ok"), number(counts.ok));
    handled.add(with("verdict", "filtered"), number(counts.filtered));
    handled.add(with("verdict", "duplicate"), number(counts.duplicates));
    handled.add(with("verdict", "retry"), number(counts.retried));
    handled.add(with("verdict", "reject"), number(counts.rejected));
    handled.add(with("verdict", "exhausted"), number(counts.exhausted));
    handled.add(with("verdict", "timeout"), number(counts.timed_out));
    handled.add(with("verdict", "invalid"), number(counts.invalid_verdicts));
    handled.add(with("verdict", "unavailable"), number(counts.unavailable));
    handled.add(with("verdict", "expired"), number(counts.expired));
    handled.add(with("verdict", "discarded"), number(counts.discarded));
    if (trigger.keys) {
      keys.add(labels, number(*trigger.keys));
      forgotten.add(labels, number(counts.keys_forgotten));
      without_key.add(labels, number(counts.without_key));
    }
    handle.add(labels, trigger.handle, kSecondBounds);
    delivery.add(labels, trigger.delivery, kSecondBounds);
    in_flight.add(labels, number(trigger.in_flight));
    queued.add(labels, number(trigger.queued + trigger.delayed + trigger.pacing.waiting_for_delay));
    inbox.add(labels, number(trigger.inbox_messages));
    oldest.add(labels, age(trigger.inbox_oldest, now));
    retries.add(labels, number(counts.retried));
    dead.add(labels, number(trigger.dead_letters));
    unavailable.add(labels, trigger.unavailable_since ? 1 : 0);
    inline_calls.add(labels, number(counts.inline_calls));
    not_brief.add(labels, number(counts.not_brief));
    refused.add(labels, number(counts.refused));
    paused.add(labels, trigger.paused_seconds);
    waiting.add(labels, number(trigger.pacing.waiting_for_delay));
    held.add(labels, trigger.pacing.rate_held_seconds);
    using State = management::TriggerStatus::State;
    for (const State each : {State::enabled, State::disabled, State::suspended}) {
      const std::string name(to_string(each));
      state.add(with("state", name.c_str()), trigger.state == each ? 1 : 0);
    }
  }
  for (Family* family :
       {&received, &handled,   &handle,      &delivery,    &in_flight,    &queued,    &inbox,
        &oldest,   &retries,   &dead,        &unavailable, &inline_calls, &not_brief, &refused,
        &keys,     &forgotten, &without_key, &paused,      &waiting,      &held,      &state}) {
    all.push_back(family->take());
  }
}

void add_inbox(std::vector<MetricFamily>& all, const management::InboxStatus& inbox,
               const std::vector<management::TriggerStatus>& triggers) {
  Family bytes = gauge("triggerd_inbox_bytes", "Size of the inbox's file.");
  bytes.add({}, number(inbox.bytes));
  Family commit = histogram("triggerd_inbox_commit_seconds",
                            "Duration of an inbox transaction, including its sync.");
  commit.add({}, inbox.commit, kSecondBounds);
  HistogramSnapshot together;
  for (const management::TriggerStatus& trigger : triggers) together.add(trigger.batch);
  Family batch = histogram("triggerd_wire_batch_messages", "Messages per read from a socket.");
  batch.add({}, together, kSizeBounds);
  Family held =
      gauge("triggerd_acks_held", "Acknowledgements that wait for the service or for the disk.");
  held.add({}, number(inbox.acks_held));
  for (Family* family : {&bytes, &commit, &batch, &held}) all.push_back(family->take());
}

void add_aliases(std::vector<MetricFamily>& all,
                 const std::vector<management::AliasStatus>& aliases, Wall now) {
  Family up = gauge("triggerd_connection_up", "1 if connected with every filter granted.");
  Family wanted =
      gauge("triggerd_connection_wanted",
            "0 if the connection is not wanted: its alias or trigger is disabled or suspended.");
  Family reconnects = counter("triggerd_reconnects_total", "Reconnections.");
  Family lost = counter("triggerd_session_lost_total",
                        "Sessions that the server should have kept, but had lost.");
  Family expiry = gauge("triggerd_certificate_expiry_seconds",
                        "Time until the alias's own certificate expires; negative once it has.");
  Family published = counter("triggerd_published_total", "Messages published.");
  for (const management::AliasStatus& alias : aliases) {
    const std::string& name = alias.definition.name;
    for (const management::ConnectionView& connection : alias.connections) {
      const Labels labels = {{"alias", name}, {"client_id", connection.client_id}};
      up.add(labels, connection.up ? 1 : 0);
      wanted.add(labels, connection.state == "off" ? 0 : 1);
      reconnects.add(labels, number(connection.reconnects));
      lost.add(labels, number(connection.sessions_lost));
    }
    if (alias.certificate_ends) {
      expiry.add({{"alias", name}},
                 std::chrono::duration<double>(*alias.certificate_ends - now).count());
    }
    published.add({{"alias", name}, {"result", "ok"}}, number(alias.published_ok));
    published.add({{"alias", name}, {"result", "failed"}}, number(alias.published_failed));
  }
  for (Family* family : {&up, &wanted, &reconnects, &lost, &expiry, &published}) {
    all.push_back(family->take());
  }
}

void add_outboxes(std::vector<MetricFamily>& all,
                  const std::vector<management::AliasStatus>& aliases, Wall now) {
  Family kept = gauge("triggerd_outbox_messages",
                      "Messages in the outbox, those that were sent and not confirmed included.");
  Family kept_bytes = gauge("triggerd_outbox_bytes", "Bytes of the messages in the outbox.");
  Family kept_limit = gauge("triggerd_outbox_max_bytes", "What the outbox may hold.");
  Family oldest =
      gauge("triggerd_outbox_oldest_seconds", "Age of the oldest message in the outbox.");
  Family left = counter("triggerd_outbox_left_total", "Messages that have left the outbox.");
  for (const management::AliasStatus& alias : aliases) {
    if (!alias.outbox) continue;
    const std::string& name = alias.definition.name;
    const management::OutboxStatus& outbox = *alias.outbox;
    kept.add({{"alias", name}}, number(outbox.messages));
    kept_bytes.add({{"alias", name}}, number(outbox.bytes));
    kept_limit.add({{"alias", name}}, number(outbox.max_bytes));
    const double age =
        outbox.oldest ? std::chrono::duration<double>(now - *outbox.oldest).count() : 0;
    oldest.add({{"alias", name}}, std::max(age, 0.0));
    left.add({{"alias", name}, {"result", "sent"}}, number(outbox.sent));
    left.add({{"alias", name}, {"result", "refused"}}, number(outbox.refused));
    left.add({{"alias", name}, {"result", "dropped"}}, number(outbox.dropped));
    left.add({{"alias", name}, {"result", "expired"}}, number(outbox.expired));
    left.add({{"alias", name}, {"result", "cleared"}}, number(outbox.cleared));
  }
  for (Family* family : {&kept, &kept_bytes, &kept_limit, &oldest, &left}) {
    all.push_back(family->take());
  }
}

bool is_metric_name(std::string_view name) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == ':';
  };
  return !name.empty() && !(name.front() >= '0' && name.front() <= '9') &&
         std::all_of(name.begin(), name.end(), good);
}

// The library escapes what is in labels, and not what is in a help text.
std::string one_line(std::string_view help) {
  std::string text;
  for (const char c : help) {
    if (c == '\\') text += "\\\\";
    if (c == '\n') text += "\\n";
    if (c != '\\' && c != '\n') text += c;
  }
  return text.empty() ? "A metric of a service." : text;
}

// What services have registered. One bad metric would make Prometheus refuse all of them, so what
// does not fit is left out: ours, no name at all, another type under a name that is there.
void add_services(std::vector<MetricFamily>& all,
                  const std::vector<management::PluginStatus>& plugins) {
  std::map<std::string, Family> families;
  for (const management::PluginStatus& plugin : plugins) {
    for (const management::PluginMetric& metric : plugin.metrics) {
      if (!is_metric_name(metric.name) || metric.name.starts_with("triggerd_")) continue;
      const MetricType type = metric.counter ? MetricType::Counter : MetricType::Gauge;
      const auto [found, fresh] =
          families.emplace(metric.name, Family(type, metric.name, one_line(metric.help)));
      if (found->second.type() != type) continue;
      found->second.add({{"plugin", plugin.name}, {"trigger", metric.trigger}}, metric.value);
    }
  }
  for (auto& [name, family] : families) all.push_back(family.take());
}

void add_plugins(std::vector<MetricFamily>& all,
                 const std::vector<management::PluginStatus>& plugins) {
  Family info =
      gauge("triggerd_plugin_info", "1 for each plugin, labelled with what is in service.");
  Family reloads = counter("triggerd_plugin_reloads_total", "Reloads, by result.");
  Family pause = gauge("triggerd_plugin_reload_pause_seconds",
                       "How long the last reload kept messages waiting.");
  for (const management::PluginStatus& plugin : plugins) {
    info.add({{"plugin", plugin.name},
              {"version", plugin.version},
              {"generation", std::to_string(plugin.generation)},
              {"sha256", plugin.sha256}},
             1);
    const auto result = [&](const char* name) {
      return Labels{{"plugin", plugin.name}, {"result", name}};
    };
    reloads.add(result("ok"), number(plugin.reloads));
    reloads.add(result("failed"), number(plugin.reloads_failed));
    reloads.add(result("rolled_back"), number(plugin.rolled_back));
    pause.add({{"plugin", plugin.name}}, plugin.last_pause_seconds);
  }
  for (Family* family : {&info, &reloads, &pause}) all.push_back(family->take());
  add_services(all, plugins);
}

}  // namespace

std::string metrics_text(const management::StatusReader& runtime, Wall now) {
  std::vector<MetricFamily> all;
  const auto triggers = runtime.triggers();
  add_triggers(all, triggers, now);
  add_inbox(all, runtime.inbox_status(), triggers);
  const auto aliases = runtime.aliases();
  add_aliases(all, aliases, now);
  add_outboxes(all, aliases, now);
  add_plugins(all, runtime.plugins());
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, all);
  return std::move(out).str();
}

}  // namespace triggerd::admin
