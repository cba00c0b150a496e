// Which messages of a trigger are handled once: deduplicate = { key = ..., window = ... }.
#include <charconv>

#include "config/order.hpp"
#include "config/sections.hpp"
#include "config/table_reader.hpp"

namespace triggerd::config {
namespace {

constexpr Millis kShortestWindow{1'000};
constexpr Millis kLongestWindow = std::chrono::hours(24 * 30);
// Of keys: they have 40 bytes of memory each, and about as much in the inbox.
constexpr std::int64_t kMostKeys = 10'000'000;

void read_key(TableReader& reader, Deduplicate& deduplicate, TriggerDraft& draft) {
  using By = Deduplicate::By;
  if (reader.get("key") == nullptr) {
    reader.report_missing("key", "key = \"json:/id\"");
    return;
  }
  const auto said = reader.text("key");
  if (!said) return;
  const SourceFile& file = reader.file();
  if (said->value == "payload") {
    deduplicate.by = By::payload;
    deduplicate.topic = true;  // "on" of another topic says something else
    return;
  }
  const bool by_property = said->value.starts_with("property:");
  if (!by_property && !said->value.starts_with("json:")) {
    file.error(said->spot,
               "key = \"{}\": it must be \"property:NAME\", \"json:/POINTER\" or \"payload\"",
               said->shown);
    return;
  }
  // Written as for `order`.
  auto parsed = parse_order(said->value);
  if (!parsed) {
    file.error(said->spot, "key = \"{}\": {}", said->shown, parsed.error().message);
    return;
  }
  deduplicate.by = by_property ? By::property : By::json;
  deduplicate.pointer = std::move(parsed->pointer);
  if (by_property) {
    draft.mqtt5_keys.push_back({"deduplicate.key = \"property:NAME\"", file.place(said->spot)});
  }
}

// A number, or one with "k" or "M" behind it.
void read_max(TableReader& reader, Deduplicate& deduplicate) {
  const Node* const node = reader.get("max");
  if (node == nullptr || node->as<std::string>() == nullptr) {
    reader.integer("max", deduplicate.max, 1, kMostKeys);
    return;
  }
  const auto said = reader.text("max");
  if (!said) return;
  const std::string& text = said->value;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const std::int64_t times = unit == "k" ? 1'000 : unit == "M" ? 1'000'000 : unit.empty() ? 1 : 0;
  if (error != std::errc() || times == 0 || number < 1 || number > kMostKeys / times) {
    reader.file().error(said->spot,
                        "max = \"{}\" must be a number from 1 to {}, such as \"500k\" or \"1M\"",
                        said->shown, kMostKeys);
    return;
  }
  deduplicate.max = static_cast<decltype(deduplicate.max)>(number * times);
}

}  // namespace

std::string to_string(const Deduplicate& rule) {
  switch (rule.by) {
    case Deduplicate::By::property:
      return "property:" + rule.pointer;
    case Deduplicate::By::json:
      return "json:" + rule.pointer;
    case Deduplicate::By::payload:
      break;
  }
  return "payload";
}

void read_deduplicate(TableReader& trigger_reader, TriggerDraft& draft) {
  auto reader = trigger_reader.table("deduplicate");
  if (!reader) return;
  Deduplicate deduplicate;
  read_key(*reader, deduplicate, draft);
  reader->boolean("topic", deduplicate.topic);
  reader->duration("window", deduplicate.window, kShortestWindow, kLongestWindow);
  read_max(*reader, deduplicate);
  reader->report_unknown_keys();
  draft.trigger.deduplicate = std::move(deduplicate);
}

}  // namespace triggerd::config
