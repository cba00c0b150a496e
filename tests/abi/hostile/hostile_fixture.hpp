// What the tests of hostile plugins share: a stage folder, a log, and quick ways to a generation
// and its instances.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/file.hpp"
#include "config/trigger.hpp"
#include "plugin/plugin.hpp"
#include "support/temp_dir.hpp"
#include "unit/plugin/fakes.hpp"

namespace triggerd::plugin {

inline std::filesystem::path hostile_plugin(const std::string& name) {
  return std::filesystem::path(HOSTILE_PLUGIN_DIR) / (name + ".so");
}

// Where it lies, one process maps it.
inline bool is_mapped(const std::filesystem::path& path) {
  return read_file("/proc/self/maps", 64 << 20).value().find(path.string()) != std::string::npos;
}

// A trigger for the service "naughty", which does `act`.
inline config::Trigger make_trigger(const std::string& act = "", const std::string& name = "t") {
  config::Trigger trigger;
  trigger.name = name;
  trigger.alias = "plant";
  trigger.plugin = "naughty";
  trigger.service = "naughty";
  if (!act.empty()) {
    trigger.settings.flat.push_back({"act", act, config::Setting::Type::string});
  }
  return trigger;
}

class HostileTest : public testing::Test {
 protected:
  HostileTest() {
    std::filesystem::create_directory(stage());
    // ThreadSanitizer starts a thread of its own with the first one of a process. It must not
    // inherit the name by which threads of a plugin are known.
    std::thread([] {}).join();
  }

  std::filesystem::path stage() const { return dir_ / "stage"; }
  Generation::Source source(const std::string& name, unsigned number = 1) const {
    return {.name = name,
            .file = hostile_plugin(name),
            .stage_dir = stage(),
            .number = number,
            .done_timeout = test::kPatience};
  }
  std::shared_ptr<Generation> load(const Generation::Source& source) {
    auto generation = Generation::load(source, log_);
    EXPECT_TRUE(generation) << generation.error().message;
    return generation ? *generation : nullptr;
  }
  std::string load_error(const Generation::Source& source) {
    const auto generation = Generation::load(source, log_);
    return generation ? "no error" : generation.error().message;
  }
  std::unique_ptr<Instance> create(const std::shared_ptr<Generation>& generation,
                                   const config::Trigger& trigger) {
    auto instance = generation->create(trigger, host_);
    EXPECT_TRUE(instance) << instance.error().message;
    return instance ? std::move(*instance) : nullptr;
  }
  // What the plugin logged.
  std::vector<std::string> said() const { return log_.texts("plugin.log"); }
  bool stage_is_empty() const { return std::filesystem::is_empty(stage()); }

  test::TempDir dir_;
  RememberingLog log_;
  RecordingHost host_;
};

}  // namespace triggerd::plugin
