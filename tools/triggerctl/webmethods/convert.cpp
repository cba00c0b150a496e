#include "webmethods/convert.hpp"

#include <algorithm>
#include <iterator>

#include "webmethods/context.hpp"
#include "webmethods/draft.hpp"
#include "webmethods/members.hpp"
#include "webmethods/packages.hpp"
#include "webmethods/stores.hpp"

namespace triggerd::webmethods {
namespace {

void sort_by_line(std::vector<Remark>& remarks) {
  std::stable_sort(remarks.begin(), remarks.end(),
                   [](const Remark& a, const Remark& b) { return a.line < b.line; });
}

GivenNames names_of_members(const Exported& exported) {
  GivenNames names;
  for (const ExportedAlias& alias : exported.aliases) {
    names.alias_names.push_back(names.aliases.give(alias.name.value));
  }
  for (const ExportedTrigger& trigger : exported.triggers) {
    names.trigger_names.push_back(names.triggers.give(trigger.name.value));
  }
  return names;
}

void write_beginning(Draft& draft, const Exported& exported, const Options& options) {
  draft.toml.comment("Made by triggerctl import-webmethods from " + options.file + '.');
  if (!exported.source.empty()) {
    draft.toml.comment("It describes itself as: " + exported.source + '.');
  }
  draft.toml.comment(
      "Each line that begins with DIFFERS says what differs from Integration Server, and why. A "
      "key without such a line means the same there and here.");
}

void write_runtime(Draft& draft, const Exported& exported, const Options& options) {
  const Read<long long>& time = exported.stop_request_time;
  constexpr long long kTheirs = 3;
  if (!options.exact && (!time.given || time.value == kTheirs)) return;
  draft.toml.blank();
  draft.toml.header("[runtime]");
  draft.toml.comment("watt.server.commonmessaging.trigger.stopRequestTimeOut");
  draft.toml.set_text("drain_timeout", fmt::format("{}s", time.value));
}

void write_ignored(Draft& draft, const std::vector<Remark>& ignored) {
  if (ignored.empty()) return;
  draft.toml.blank();
  draft.toml.comment("Left out, because there is no counterpart:");
  for (const Remark& one : ignored) {
    draft.toml.comment(fmt::format("line {}: {}", one.line, one.text));
  }
}

}  // namespace

Imported convert(const Exported& exported, const Options& options, Findings& findings) {
  Remarks remarks;
  GivenNames names = names_of_members(exported);
  const PackagePlan plan(exported, options.flat);
  Draft draft(remarks);
  write_beginning(draft, exported, options);
  write_runtime(draft, exported, options);
  write_stores(draft, exported, names);
  const Context context{.exported = exported, .options = options, .names = names, .plan = plan};
  Members members(context);
  members.write(draft, "");
  std::copy(findings.ignored.begin(), findings.ignored.end(),
            std::back_inserter(remarks.differences));
  write_ignored(draft, findings.ignored);
  std::vector<ImportedPackage> packages = write_packages(remarks, context, members);
  sort_by_line(remarks.differences);
  std::move(remarks.errors.begin(), remarks.errors.end(), std::back_inserter(findings.errors));
  return {.toml = std::move(draft.toml).take(),
          .packages = std::move(packages),
          .differences = std::move(remarks.differences),
          .aliases = exported.aliases.size(),
          .triggers = exported.triggers.size()};
}

std::string to_string(const Remark& remark, std::string_view file, std::string_view kind) {
  return fmt::format("{}:{}: {}: {}", file, remark.line, kind, remark.text);
}

tl::expected<Imported, std::vector<Remark>> import(std::string_view json, const Options& options) {
  auto root = parse_json(json);
  if (!root) return tl::make_unexpected(std::vector<Remark>{root.error()});
  Findings findings;
  const Exported exported = read_exported(*root, findings);
  // Even if there are errors already, so that all of them are reported at once.
  Imported imported = convert(exported, options, findings);
  if (findings.errors.empty()) return imported;
  sort_by_line(findings.errors);
  return tl::make_unexpected(std::move(findings.errors));
}

}  // namespace triggerd::webmethods
