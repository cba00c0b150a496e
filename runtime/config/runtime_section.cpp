// [runtime], [log] and [inbox].
#include "config/sections.hpp"
#include "config/table_reader.hpp"

namespace triggerd::config {
namespace {

constexpr Millis kLongest = std::chrono::hours(24);
constexpr std::uint64_t kSmallestInbox = 1 << 20;
constexpr std::uint64_t kLargestInbox = 1ULL << 44;

// "var/" has no last component, and creating the folder needs one.
std::filesystem::path without_last_slash(const std::filesystem::path& path) {
  return path.has_filename() ? path : path.parent_path();
}

}  // namespace

bool is_first(TableReader& table, std::string_view key, Sections& sections) {
  if (table.get(key) == nullptr) return false;
  const SourceFile& file = table.file();
  const Place place = file.place(table.spot_of(key));
  const auto [first, inserted] =
      sections.written.emplace(fmt::format("{} {}", table.title(), key), place);
  if (!inserted) {
    file.error(table.spot_of(key), "{} in {} is already set at {}; write it once", key,
               table.title(), to_string(first->second));
  }
  return inserted;
}

void read_runtime(const SourceFile& file, const Node& table, Sections& sections) {
  TableReader reader(file, table, "[runtime]");
  if (is_first(reader, "name", sections)) {
    if (const auto name = reader.text("name")) {
      sections.runtime.name = name->value;
      if (name->value.empty() || name->value.size() > 255) {
        file.error(name->spot, "name must be 1 to 255 bytes long");
      }
    }
  }
  if (is_first(reader, "state_dir", sections)) {
    sections.runtime.state_dir_place = file.place(reader.spot_of("state_dir"));
    if (auto path = reader.path("state_dir")) {
      sections.state_dir = without_last_slash(*std::move(path));
    }
  }
  if (is_first(reader, "plugin_dirs", sections)) {
    if (const auto dirs = reader.texts("plugin_dirs")) {
      sections.plugin_dirs.emplace();
      for (const Text& dir : *dirs) {
        if (dir.value.empty()) {
          file.error(dir.spot, "an element of plugin_dirs must be a path, not an empty string");
        }
        sections.plugin_dirs->push_back(file.folder / dir.value);
      }
    }
  }
  if (is_first(reader, "packages_dir", sections)) {
    if (auto path = reader.path("packages_dir")) {
      sections.packages_dir = without_last_slash(*std::move(path));
    }
  }
  if (is_first(reader, "drain_timeout", sections)) {
    reader.duration("drain_timeout", sections.runtime.drain_timeout, Millis(0), kLongest);
  }
  if (is_first(reader, "hot_reload", sections)) {
    reader.boolean("hot_reload", sections.runtime.hot_reload);
  }
  reader.report_unknown_keys();
}

// NAME = LEVEL, for any name: a trigger that uses the plugin may be defined later.
void read_plugin_levels(TableReader& reader, LogSection& log) {
  for (const std::string_view name : reader.keys()) {
    LogLevel level = LogLevel::info;
    if (read_log_level(reader, name, level)) log.plugins.emplace(name, level);
  }
}

void read_log(const SourceFile& file, const Node& table, Sections& sections) {
  TableReader reader(file, table, "[log]");
  if (is_first(reader, "level", sections)) {
    read_log_level(reader, "level", sections.log.level);
  }
  if (is_first(reader, "plugins", sections)) {
    if (auto plugins = reader.table("plugins")) read_plugin_levels(*plugins, sections.log);
  }
  if (is_first(reader, "format", sections)) {
    reader.choice("format", sections.log.format,
                  {{"text", LogFormat::text}, {"json", LogFormat::json}});
  }
  reader.report_unknown_keys();
}

void read_inbox(const SourceFile& file, const Node& table, Sections& sections) {
  TableReader reader(file, table, "[inbox]");
  if (is_first(reader, "sync", sections)) {
    reader.choice("sync", sections.inbox.sync_to_disk, {{"disk", true}, {"process", false}});
  }
  if (is_first(reader, "max_size", sections)) {
    reader.size("max_size", sections.inbox.max_size, kSmallestInbox, kLargestInbox);
  }
  reader.report_unknown_keys();
}

}  // namespace triggerd::config
