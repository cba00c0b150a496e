// [[triggers]]
#include <set>

#include "base/text.hpp"
#include "config/names.hpp"
#include "config/topic_filter.hpp"
#include "webmethods/convert.hpp"

namespace triggerd::webmethods {
namespace {

constexpr std::string_view kShare = "$share/";
constexpr long long kLongestDefaultInterval = 300;  // retry.max_interval

// "PLUGIN" or "PLUGIN:SERVICE".
bool is_service(std::string_view text) {
  const std::size_t colon = text.find(':');
  return config::is_plugin_name(text.substr(0, colon)) &&
         (colon == std::string_view::npos || config::is_plugin_name(text.substr(colon + 1)));
}

struct SharedFilter {
  std::string group;
  std::string filter;
};
// "$share/GROUP/FILTER", or a filter that is not shared.
SharedFilter take_apart(std::string_view text) {
  if (!text.starts_with(kShare)) return {{}, std::string(text)};
  const std::string_view rest = text.substr(kShare.size());
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos) return {std::string(rest), {}};
  return {std::string(rest.substr(0, slash)), std::string(rest.substr(slash + 1))};
}

}  // namespace

void Conversion::write_trigger(const ExportedTrigger& trigger, const std::string& name) {
  const Entry entry{fmt::format("trigger \"{}\"", printable(trigger.name.value)), trigger.line};
  const std::string alias = aliases_.find(trigger.alias.value);
  // The alias may be one of those whose name could not be read.
  if (alias.empty() && trigger.alias.given && exported_.all_aliases_named) {
    error(trigger.alias.line, entry, "connectionAliasName \"{}\" is not an alias in this file",
          printable(trigger.alias.value));
  }
  toml_.blank();
  toml_.header("[[triggers]]");
  write_name(entry, trigger.name, name);
  toml_.set_text("name", name);
  write_package(entry, trigger.package);
  if (!trigger.description.empty()) toml_.set_text("description", trigger.description);
  if (trigger.state.value == ExportedState::suspended) {
    differs(
        entry,
        "it was suspended, which a restart there forgets; here it is disabled until you enable it");
  }
  if (trigger.state.value != ExportedState::enabled) toml_.set("enabled", "false");
  toml_.set_text("alias", alias);
  write_topics(entry, trigger);
  write_service(entry, trigger.service, "service");
  write_processing(entry, trigger);
  write_retry(entry, trigger);
  if (!trigger.monitor.value.empty()) write_service(entry, trigger.monitor, "monitor");
}

void Conversion::write_topics(const Entry& entry, const ExportedTrigger& trigger) {
  std::string topics;
  std::set<std::string> seen;
  std::set<std::string> groups;
  for (const ExportedTopic& topic : trigger.topics) {
    if (!topic.filter.given) continue;
    const SharedFilter shared = take_apart(topic.filter.value);
    groups.insert(shared.group);
    auto checked = config::check_topic_filter(shared.filter);
    if (checked && !shared.group.empty()) checked = config::check_shared_group(shared.group);
    if (!checked) {
      error(topic.filter.line, entry, "topicName \"{}\" {}", printable(topic.filter.value),
            checked.error().message);
    }
    if (!seen.insert(shared.filter).second) {
      differs(entry, "topic \"{}\" appears twice; the first one counts", printable(shared.filter));
      continue;
    }
    topics +=
        fmt::format("  {{ filter = {}, qos = {} }},\n", toml_string(shared.filter), topic.qos);
  }
  if (groups.size() > 1) {
    error(trigger.line, entry,
          "its topics belong to several $share groups, or only some of them to one; make a trigger "
          "for each");
  } else if (!groups.empty() && !groups.begin()->empty()) {
    toml_.set_text("shared_group", *groups.begin());
  }
  toml_.set("topics", fmt::format("[\n{}]", topics));
}

void Conversion::write_service(const Entry& entry, const Read<std::string>& service,
                               std::string_view key) {
  if (!service.given) return;
  const auto mapped = options_.services.find(service.value);
  if (mapped != options_.services.end()) {
    if (!is_service(mapped->second)) {
      error(service.line, entry, "\"{}\", the replacement for \"{}\", is not PLUGIN:SERVICE",
            printable(mapped->second), printable(service.value));
    }
    toml_.comment(fmt::format("{} in Integration Server", service.value));
    toml_.set_text(key, mapped->second);
    return;
  }
  differs(entry,
          "{} was {}, which runs in Integration Server; write a plugin of this name, see "
          "docs/guides/writing-plugins.md, or name one with --service",
          key, printable(service.value));
  toml_.set_text(key, as_service(service.value));
}

void Conversion::write_processing(const Entry& entry, const ExportedTrigger& trigger) {
  toml_.set("concurrency", std::to_string(trigger.threads));
  if (trigger.threads > 1) {
    differs(entry,
            "{} threads handled messages in no order; order = \"topic\" would keep those of "
            "one topic in order",
            trigger.threads);
    toml_.set_text("order", "none");
  }
  constexpr long long kTheirs = 10;
  if (options_.exact || trigger.queue_capacity.value != kTheirs) {
    toml_.set("queue_capacity", std::to_string(trigger.queue_capacity.value));
  } else {
    differs(entry, "queue capacity was {}, Integration Server's default; left out, it is 1000 here",
            kTheirs);
  }
  if (!trigger.acknowledged_by_client.value && trigger.acknowledged_by_client.given) {
    toml_.set_text("acknowledge", "received");
  } else if (options_.exact) {
    toml_.set_text("acknowledge", "finished");
  } else {
    differs(entry,
            "acknowledgement was \"client\"; left out, it is \"durable\" here: a message is "
            "acknowledged when it is finished or on disk. \"finished\" keeps the old behaviour");
  }
}

void Conversion::write_retry(const Entry& entry, const ExportedTrigger& trigger) {
  const bool as_theirs = trigger.retries.value == 0;
  if (as_theirs && !options_.exact) {
    differs(entry,
            "a message was tried once; left out, it is tried 8 times here, after 1 s and then at "
            "doubling intervals");
  } else {
    constexpr long long kForEver = -1;
    constexpr long long kMost = 1'000'000;
    const bool for_ever = trigger.retries.value == kForEver;
    if (for_ever)
      differs(entry, "it was retried without end; here it is tried {} times, the maximum", kMost);
    const long long attempts = for_ever ? kMost : trigger.retries.value + 1;
    const long long seconds = trigger.retry_interval.value;
    const std::string interval = seconds == 0 ? "1ms" : fmt::format("{}s", seconds);
    toml_.comment(
        "Integration Server counts retries; here all attempts count, including the first.");
    std::string retry =
        fmt::format("max_attempts = {}, interval = \"{}\", backoff = 1.0", attempts, interval);
    if (seconds > kLongestDefaultInterval)
      retry += fmt::format(", max_interval = \"{}\"", interval);
    toml_.set("retry", fmt::format("{{ {} }}", retry));
  }
  if (trigger.stops_on_failure.value) {
    toml_.set_text("on_exhausted", "suspend");
  } else if (options_.exact) {
    toml_.set_text("on_exhausted", "discard");
  } else {
    differs(entry,
            "after the last attempt a message was acknowledged and lost; left out, it is kept as a "
            "dead letter here. on_exhausted = \"discard\" keeps the old behaviour");
  }
}

}  // namespace triggerd::webmethods
