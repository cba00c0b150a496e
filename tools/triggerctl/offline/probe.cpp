#include "offline/probe.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "command_line.hpp"
#include "offline/child.hpp"
#include "offline/offline_run.hpp"
#include "offline/report.hpp"

namespace triggerctl {
namespace {

constexpr Millis kSilence{10'000};

std::string yes(const Json& service, const char* what) {
  return service.value(what, false) ? "yes" : "-";
}

void print(const Json& plugin) {
  fmt::print("{} {}\n", plugin.value("plugin", ""), plugin.value("version", ""));
  Table table({"SERVICE", "CONCURRENT", "BRIEF", "BATCH", "PROBE", "STATE"});
  for (const Json& service : plugin.at("services")) {
    table.add({service.value("name", ""), yes(service, "concurrent"), yes(service, "brief"),
               yes(service, "handle_batch"), yes(service, "probe"),
               service.value("save", false)
                   ? fmt::format("version {}", service.value("state_version", 0))
                   : "-"});
  }
  fmt::print("{}", table.text());
}

}  // namespace

int probe_plugin(const std::string& file) {
  const auto stage = StageFolder::make();
  if (!stage) return fail_with(stage.error().message);
  Json plugin;
  std::string error;
  const auto end =
      run_in_child([&](Events& events) { return probe_offline(file, stage->path(), events); },
                   [&](const Json& event) {
                     const std::string kind = event.value("event", "");
                     if (kind == "plugin") plugin = event;
                     if (kind == "failed") error = event.value("message", "");
                     if (kind == "log") fmt::print(stderr, "{}\n", event.value("text", ""));
                   },
                   kSilence);
  if (!end) return fail_with(end.error().message);
  const std::string died = how_it_died(*end, kSilence);
  if (!died.empty()) {
    fail_with(died);
    return end->silent ? kTimeout : kCrashed;
  }
  if (!error.empty()) return fail_with(error);
  if (plugin.is_null()) {
    fail_with(
        fmt::format("the plugin ended its process with exit code {} in {}", end->code, end->stage));
    return kCrashed;
  }
  plugin.erase("event");
  if (json_wanted()) {
    print_json(plugin);
  } else {
    print(plugin);
  }
  return kDone;
}

}  // namespace triggerctl
