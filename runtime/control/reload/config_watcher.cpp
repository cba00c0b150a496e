#include "control/reload/config_watcher.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/file.hpp"

namespace triggerd::control {

namespace fs = std::filesystem;

std::string fingerprint(const fs::path& config_file, const fs::path& packages_dir,
                        const std::vector<fs::path>& others) {
  if (config_file.empty()) return {};
  std::string all;
  const auto add_file = [&all](const fs::path& file) {
    all += fmt::format("{} {}\n", file.string(), fingerprint_of_file(file));
  };
  add_file(config_file);
  const auto add_folder = [&add_file](const fs::path& folder, bool packages) {
    std::error_code error;
    std::vector<fs::path> found;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
      if (packages) {
        for (const char* name : {"package.toml", "triggers.toml", "local.toml"}) {
          found.push_back(entry->path() / name);
        }
      } else if (entry->path().extension() == ".toml") {
        found.push_back(entry->path());
      }
    }
    std::sort(found.begin(), found.end());
    for (const fs::path& file : found) add_file(file);
  };
  add_folder(config_file.parent_path() / "conf.d", false);
  add_folder(packages_dir, true);
  for (const fs::path& file : others) add_file(file);
  return all;
}

void ConfigWatcher::start() {
  read_ = seen_ = look_();
  look_later();
}

void ConfigWatcher::look_later() {
  control_.after(kInterval, [this] {
    std::string now = look_();
    const bool settled = now == seen_;
    seen_ = std::move(now);
    if (settled && seen_ != read_) changed_();
    look_later();
  });
}

}  // namespace triggerd::control
