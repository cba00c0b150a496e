#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "client/api.hpp"
#include "live/live_verbs.hpp"
#include "live/status_view.hpp"

namespace triggerctl {
namespace {

struct ReloadOptions {
  std::string name;
  bool force = false;
  bool drop_state = false;
};

Result<int> list_plugins(const Api& api) {
  const auto all = api.get("/plugins");
  if (!all) return tl::make_unexpected(all.error());
  if (json_wanted()) {
    print_json(*all);
  } else if (list_of(*all, "items").empty()) {
    fmt::print("no plugin is loaded: a plugin is loaded when a trigger uses one of its services\n");
  } else {
    fmt::print("{}", plugins_text(list_of(*all, "items")));
  }
  return kDone;
}

Result<int> reload_plugin(const Api& api, const ReloadOptions& options) {
  std::string path = fmt::format("/plugins/{}/reload", triggerd::percent_encoded(options.name));
  if (options.force) path += "?force=true";
  if (options.drop_state) path += options.force ? "&drop_state=true" : "?drop_state=true";
  const auto reloaded = api.post(path);
  if (!reloaded) return tl::make_unexpected(reloaded.error());
  if (json_wanted()) {
    print_json(*reloaded);
  } else if (!flag_of(*reloaded, "changed")) {
    fmt::print(
        "plugin \"{}\": its file has not changed, so generation {} stays in service; --force "
        "reloads it anyway\n",
        safe(options.name), count_of(*reloaded, "generation"));
  } else {
    fmt::print("plugin \"{}\" was reloaded: version {}, generation {}, paused for {}\n",
               safe(options.name), safe(text_of(*reloaded, "version")),
               count_of(*reloaded, "generation"),
               about_latency(number_of(*reloaded, "pause_seconds")));
  }
  return kDone;
}

}  // namespace

void add_live_plugin_verbs(CommandLine& line) {
  Command group = line.group("plugin", "plugins: create, probe, try and reload them");
  line.live_verb(group, "list", "list the loaded plugins, their generations and services",
                 list_plugins);
  const auto options = std::make_shared<ReloadOptions>();
  Command reload = line.live_verb(
      group, "reload", "put a plugin's current file in service; if that fails, the old one stays",
      [options](const Api& api) { return reload_plugin(api, *options); });
  reload.option("NAME", options->name, "the plugin; PACKAGE/NAME if it belongs to a package")
      .required();
  reload.flag("--force", options->force, "even if the file has not changed");
  reload.flag("--drop-state", options->drop_state,
              "start without the state of the old generation; even if the file has not changed");
}

}  // namespace triggerctl
