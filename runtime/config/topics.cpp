// What a trigger subscribes to: topics, and the group that shares them.
#include <unordered_set>

#include "config/sections.hpp"
#include "config/table_reader.hpp"
#include "config/topic_filter.hpp"

namespace triggerd::config {
namespace {

constexpr std::size_t kMaxFilter = 65'535;                // MQTT 3.1.1, section 1.5.3
constexpr std::int64_t kMaxSubscriptionId = 268'435'455;  // MQTT 5.0, section 3.8.2.1.2

// The subscription options of MQTT 5.
void read_options(TableReader& reader, Topic& topic, TriggerDraft& draft) {
  reader.boolean("no_local", topic.no_local);
  reader.boolean("retain_as_published", topic.retain_as_published);
  reader.choice("retain_handling", topic.retain_handling,
                {{"always", RetainHandling::always},
                 {"new", RetainHandling::if_new},
                 {"never", RetainHandling::never}});
  reader.integer("subscription_id", topic.subscription_id, 1, kMaxSubscriptionId);
  for (const char* key :
       {"no_local", "retain_as_published", "retain_handling", "subscription_id"}) {
    if (reader.get(key) == nullptr) continue;
    draft.mqtt5_keys.push_back({key, reader.file().place(reader.spot_of(key))});
  }
  const std::string& group = draft.trigger.shared_group;
  if (topic.no_local && !group.empty()) {
    reader.file().error(reader.spot_of("no_local"),
                        "no_local = true does not work with shared_group: MQTT 5 forbids it; leave "
                        "one of them out");
  }
  if (topic.retain_as_published && !draft.retain_as_published) {
    draft.retain_as_published = reader.file().place(reader.spot_of("retain_as_published"));
  }
}

// A filter, or {filter, qos, ...}.
std::optional<Text> read_topic(const SourceFile& file, const Node& node, Topic& topic,
                               TriggerDraft& draft) {
  std::optional<Text> filter;
  if (node.as<Node::Table>() != nullptr) {
    TableReader reader(file, node, "an element of topics");
    if (reader.get("filter") == nullptr) reader.report_missing("filter", "filter = \"a/#\"");
    filter = reader.text("filter");
    reader.integer("qos", topic.qos, 0, 2);
    read_options(reader, topic, draft);
    reader.report_unknown_keys();
  } else if (node.as<std::string>() != nullptr) {
    filter = read_text(file, "an element of topics", node);
  } else {
    file.error(node.spot, "an element of topics must be a filter or {{filter, qos}}, not {}",
               type_name(node));
  }
  if (!filter) return std::nullopt;
  topic.filter = filter->value;
  if (const auto checked = check_topic_filter(topic.filter); !checked) {
    file.error(filter->spot, "filter \"{}\" {}", filter->shown, checked.error().message);
    return std::nullopt;
  }
  const std::string& group = draft.trigger.shared_group;
  if (shared_filter(group, topic.filter).size() > kMaxFilter) {
    file.error(filter->spot,
               "filter \"{}\" is longer than {} bytes with its shared_group; shorten "
               "one of them",
               filter->shown, kMaxFilter);
    return std::nullopt;
  }
  return filter;
}

void read_shared_group(TableReader& reader, Trigger& trigger) {
  const auto group = reader.text("shared_group");
  if (!group || group->value.empty()) return;  // "" means none
  if (const auto checked = check_shared_group(group->value); !checked) {
    reader.file().error(group->spot, "shared_group \"{}\" {}", group->shown,
                        checked.error().message);
    return;
  }
  trigger.shared_group = group->value;
}

}  // namespace

void read_topics(TableReader& reader, TriggerDraft& draft) {
  const SourceFile& file = reader.file();
  read_shared_group(reader, draft.trigger);
  const Node* node = reader.get("topics");
  if (node == nullptr) {
    reader.report_missing("topics", "topics = [\"plant/+/temperature\"]");
    return;
  }
  const auto* elements = node->as<Node::Array>();
  if (elements == nullptr) {
    file.error(node->spot, "topics must be an array of filters, not {}", type_name(*node));
    return;
  }
  if (elements->empty()) file.error(node->spot, "topics is empty; write at least one filter");
  std::unordered_set<std::string> seen;
  for (const Node& element : *elements) {
    Topic topic;
    const auto filter = read_topic(file, element, topic, draft);
    if (!filter) continue;
    if (!seen.insert(topic.filter).second) {
      file.error(filter->spot, "filter \"{}\" is in this trigger already; write it once",
                 filter->shown);
    }
    draft.trigger.topics.push_back(std::move(topic));
  }
}

}  // namespace triggerd::config
