#include "webmethods/trigger_section.hpp"

#include <set>

#include "base/text.hpp"
#include "config/names.hpp"
#include "config/topic_filter.hpp"
#include "webmethods/common_keys.hpp"

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

// One section while it is written.
class TriggerSection {
 public:
  TriggerSection(Draft& draft, const Context& context, const ExportedTrigger& trigger,
                 const std::string& name)
      : draft_(draft),
        context_(context),
        trigger_(trigger),
        name_(name),
        entry_{fmt::format("trigger \"{}\"", printable(trigger.name.value)), trigger.line} {}

  void write();

 private:
  void write_topics();
  void write_service(const Read<std::string>& service, std::string_view key);
  void write_processing();
  void write_retry();

  Draft& draft_;
  const Context& context_;
  const ExportedTrigger& trigger_;
  const std::string& name_;
  const Entry entry_;
};

void TriggerSection::write() {
  const std::string alias = context_.names.aliases.find(trigger_.alias.value);
  // The alias may be one of those whose name could not be read.
  if (alias.empty() && trigger_.alias.given && context_.exported.all_aliases_named) {
    draft_.error(trigger_.alias.line, entry_,
                 "connectionAliasName \"{}\" is not an alias in this file",
                 printable(trigger_.alias.value));
  }
  draft_.toml.blank();
  draft_.toml.header("[[triggers]]");
  note_name(draft_, entry_, trigger_.name, name_);
  draft_.toml.set_text("name", name_);
  note_package(draft_, entry_, context_.options, trigger_.package);
  if (!trigger_.description.empty()) draft_.toml.set_text("description", trigger_.description);
  if (trigger_.state.value == ExportedState::suspended) {
    draft_.differs(
        entry_,
        "it was suspended, which a restart there forgets; here it is disabled until you enable it");
  }
  if (trigger_.state.value != ExportedState::enabled) draft_.toml.set("enabled", "false");
  draft_.toml.set_text("alias", alias);
  write_topics();
  write_service(trigger_.service, "service");
  write_processing();
  write_retry();
  if (!trigger_.monitor.value.empty()) write_service(trigger_.monitor, "monitor");
}

void TriggerSection::write_topics() {
  std::string topics;
  std::set<std::string> seen;
  std::set<std::string> groups;
  for (const ExportedTopic& topic : trigger_.topics) {
    if (!topic.filter.given) continue;
    const SharedFilter shared = take_apart(topic.filter.value);
    groups.insert(shared.group);
    auto checked = config::check_topic_filter(shared.filter);
    if (checked && !shared.group.empty()) checked = config::check_shared_group(shared.group);
    if (!checked) {
      draft_.error(topic.filter.line, entry_, "topicName \"{}\" {}", printable(topic.filter.value),
                   checked.error().message);
    }
    if (!seen.insert(shared.filter).second) {
      draft_.differs(entry_, "topic \"{}\" appears twice; the first one counts",
                     printable(shared.filter));
      continue;
    }
    topics +=
        fmt::format("  {{ filter = {}, qos = {} }},\n", toml_string(shared.filter), topic.qos);
  }
  if (groups.size() > 1) {
    draft_.error(
        trigger_.line, entry_,
        "its topics belong to several $share groups, or only some of them to one; make a trigger "
        "for each");
  } else if (!groups.empty() && !groups.begin()->empty()) {
    draft_.toml.set_text("shared_group", *groups.begin());
  }
  draft_.toml.set("topics", fmt::format("[\n{}]", topics));
}

void TriggerSection::write_service(const Read<std::string>& service, std::string_view key) {
  if (!service.given) return;
  const auto mapped = context_.options.services.find(service.value);
  if (mapped != context_.options.services.end()) {
    if (!is_service(mapped->second)) {
      draft_.error(service.line, entry_,
                   "\"{}\", the replacement for \"{}\", is not PLUGIN:SERVICE",
                   printable(mapped->second), printable(service.value));
    }
    draft_.toml.comment(fmt::format("{} in Integration Server", service.value));
    draft_.toml.set_text(key, mapped->second);
    return;
  }
  draft_.differs(entry_,
                 "{} was {}, which runs in Integration Server; write a plugin of this name, see "
                 "docs/guides/writing-plugins.md, or name one with --service",
                 key, printable(service.value));
  draft_.toml.set_text(key, as_service(service.value));
}

void TriggerSection::write_processing() {
  draft_.toml.set("concurrency", std::to_string(trigger_.threads));
  if (trigger_.threads > 1) {
    draft_.differs(entry_,
                   "{} threads handled messages in no order; order = \"topic\" would keep those of "
                   "one topic in order",
                   trigger_.threads);
    draft_.toml.set_text("order", "none");
  }
  constexpr long long kTheirs = 10;
  if (context_.options.exact || trigger_.queue_capacity.value != kTheirs) {
    draft_.toml.set("queue_capacity", std::to_string(trigger_.queue_capacity.value));
  } else {
    draft_.differs(entry_,
                   "queue capacity was {}, Integration Server's default; left out, it is 1000 here",
                   kTheirs);
  }
  if (!trigger_.acknowledged_by_client.value && trigger_.acknowledged_by_client.given) {
    draft_.toml.set_text("acknowledge", "received");
  } else if (context_.options.exact) {
    draft_.toml.set_text("acknowledge", "finished");
  } else {
    draft_.differs(
        entry_,
        "acknowledgement was \"client\"; left out, it is \"durable\" here: a message is "
        "acknowledged when it is finished or on disk. \"finished\" keeps the old behaviour");
  }
}

void TriggerSection::write_retry() {
  const bool as_theirs = trigger_.retries.value == 0;
  if (as_theirs && !context_.options.exact) {
    draft_.differs(
        entry_,
        "a message was tried once; left out, it is tried 8 times here, after 1 s and then at "
        "doubling intervals");
  } else {
    constexpr long long kForEver = -1;
    constexpr long long kMost = 1'000'000;
    const bool for_ever = trigger_.retries.value == kForEver;
    if (for_ever)
      draft_.differs(entry_, "it was retried without end; here it is tried {} times, the maximum",
                     kMost);
    const long long attempts = for_ever ? kMost : trigger_.retries.value + 1;
    const long long seconds = trigger_.retry_interval.value;
    const std::string interval = seconds == 0 ? "1ms" : fmt::format("{}s", seconds);
    draft_.toml.comment(
        "Integration Server counts retries; here all attempts count, including the first.");
    std::string retry =
        fmt::format("max_attempts = {}, interval = \"{}\", backoff = 1.0", attempts, interval);
    if (seconds > kLongestDefaultInterval)
      retry += fmt::format(", max_interval = \"{}\"", interval);
    draft_.toml.set("retry", fmt::format("{{ {} }}", retry));
  }
  if (trigger_.stops_on_failure.value) {
    draft_.toml.set_text("on_exhausted", "suspend");
  } else if (context_.options.exact) {
    draft_.toml.set_text("on_exhausted", "discard");
  } else {
    draft_.differs(
        entry_,
        "after the last attempt a message was acknowledged and lost; left out, it is kept as a "
        "dead letter here. on_exhausted = \"discard\" keeps the old behaviour");
  }
}

}  // namespace

void write_trigger(Draft& draft, const Context& context, const ExportedTrigger& trigger,
                   const std::string& name) {
  TriggerSection(draft, context, trigger, name).write();
}

}  // namespace triggerd::webmethods
