// What a trigger asks of the content of its messages: when, transform, schema and so on.
#include "base/file.hpp"
#include "base/units.hpp"
#include "config/sections.hpp"
#include "config/table_reader.hpp"
#include "content/content.hpp"

namespace triggerd::config {
namespace {

constexpr std::size_t kLargestSchema = std::size_t{1} << 20;
constexpr std::uint64_t kLargestPayload = std::uint64_t{256} << 20;
constexpr Millis kLongestEvaluation{60'000};

void read_program(TableReader& reader, std::string_view key, std::string& program) {
  if (!reader.payload(key, program)) return;
  const SourceFile& file = reader.file();
  if (program.find_first_not_of(" \t\r\n") == std::string::npos) {
    file.error(reader.spot_of(key), "{} is empty; leave it out, or write a program in jq", key);
    program.clear();
    return;
  }
  if (const auto checked = content::check_program(program); !checked) {
    file.error(reader.spot_of(key), "{} is no program in jq: {}", key, checked.error().message);
    program.clear();
  }
}

void read_schema(TableReader& reader, Trigger& trigger) {
  const auto path = reader.path("schema");
  if (!path) return;
  trigger.schema_file = *path;
  auto schema = read_file(*path, kLargestSchema);
  if (!schema) {
    reader.file().error(reader.spot_of("schema"), "schema: {}", schema.error().message);
    return;
  }
  if (const auto checked = content::check_schema(*schema); !checked) {
    reader.file().error(reader.spot_of("schema"), "schema: {} is no JSON Schema: {}",
                        path->string(), checked.error().message);
    return;
  }
  trigger.content.schema = *std::move(schema);
}

void read_evaluation(TableReader& trigger_reader, content::Options& content) {
  auto reader = trigger_reader.table("evaluation");
  if (!reader) return;
  reader->choice("input", content.input,
                 {{"json", content::Input::json}, {"text", content::Input::text}});
  reader->duration("timeout", content.timeout, Millis(1), kLongestEvaluation);
  reader->size("max_size", content.max_size, 1, kLargestPayload);
  reader->report_unknown_keys();
}

}  // namespace

void read_content(TableReader& reader, Trigger& trigger) {
  content::Options& content = trigger.content;
  const SourceFile& file = reader.file();
  read_program(reader, "when", content.when);
  read_program(reader, "transform", content.transform);
  read_schema(reader, trigger);
  reader.boolean("split", content.split);
  reader.choice("on_error", content.on_error,
                {{"reject", content::OnError::reject}, {"pass", content::OnError::pass}});
  read_evaluation(reader, content);
  const bool has_when = reader.get("when") != nullptr;
  const bool has_transform = reader.get("transform") != nullptr;
  const bool has_schema = reader.get("schema") != nullptr;
  if (content.split && !has_transform) {
    file.error(reader.spot_of("split"),
               "split has no effect without transform, which makes the messages; as in "
               "transform = '.[]'");
  }
  if (content.input == content::Input::text && has_schema) {
    file.error(reader.spot_of("schema"),
               "schema needs payloads in JSON; leave out input = \"text\"");
  }
  if (content.timeout > trigger.timeout) {
    file.error(reader.spot_of("evaluation"),
               "evaluation.timeout {} is longer than the trigger's timeout of {}, which is for the "
               "evaluation too",
               format_duration(content.timeout), format_duration(trigger.timeout));
  }
  if (has_when || has_transform || has_schema) return;
  for (const std::string_view key : {"on_error", "evaluation"}) {
    if (reader.get(key) == nullptr) continue;
    file.error(reader.spot_of(key), "{} has no effect without when, transform or schema", key);
  }
}

}  // namespace triggerd::config
