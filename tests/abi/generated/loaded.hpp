// What the tests of built plugins share: the runtime's loader, and a source of messages that have a
// payload.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
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

// Hands out messages one after another; the next when the one before was answered.
class OneByOne final : public WorkSource {
 public:
  Answer handle(const std::string& topic, const std::string& payload) {
    std::unique_lock lock(mutex_);
    Held& held = held_.emplace_back();
    held.topic = topic;
    held.payload = payload;
    held.message.struct_size = sizeof held.message;
    held.message.token = held_.size();
    held.message.topic = {held.topic.c_str(), held.topic.size()};
    held.message.payload = {reinterpret_cast<const std::uint8_t*>(held.payload.data()),
                            held.payload.size()};
    next_ = &held.message;
    answered_ = false;
    changed_.notify_all();
    EXPECT_TRUE(changed_.wait_for(lock, test::kPatience, [this] { return answered_; }));
    return answer_;
  }

  const trigger_message* take(std::stop_token stop) override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, stop, [this] { return next_ != nullptr; });
    return stop.stop_requested() ? nullptr : std::exchange(next_, nullptr);
  }
  void answered(const trigger_message&, Answer answer) override {
    const std::lock_guard lock(mutex_);
    answer_ = std::move(answer);
    answered_ = true;
    changed_.notify_all();
  }

 private:
  struct Held {
    std::string topic;
    std::string payload;
    trigger_message message{};
  };

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Held> held_;
  const trigger_message* next_ = nullptr;
  Answer answer_;
  bool answered_ = false;
};

class LoadedTest : public testing::Test {
 protected:
  LoadedTest() {
    std::thread([] {}).join();
  }  // see HostileTest

  std::shared_ptr<Generation> load(const std::string& name, const std::filesystem::path& file) {
    auto generation = Generation::load({.name = name,
                                        .file = file,
                                        .stage_dir = dir_.path(),
                                        .number = ++number_,
                                        .done_timeout = test::kPatience},
                                       log_);
    EXPECT_TRUE(generation) << generation.error().message;
    return generation ? *generation : nullptr;
  }
  Result<std::unique_ptr<Instance>> create(
      Generation& generation, const std::string& service,
      const std::vector<std::pair<std::string, std::string>>& settings) {
    config::Trigger trigger;
    trigger.name = "t";
    trigger.alias = "plant";
    trigger.service = service;
    for (const auto& [key, value] : settings) {
      const bool number = value.find_first_not_of("0123456789") == value.npos;
      trigger.settings.flat.push_back(
          {key, value, number ? config::Setting::Type::integer : config::Setting::Type::string});
    }
    return generation.create(trigger, host_);
  }
  // Whether nothing of any generation is in memory any more.
  bool all_gone() const {
    return read_file("/proc/self/maps", 64 << 20).value().find(dir_.path().string()) ==
               std::string::npos &&
           log_.texts("plugin.still_loaded").empty() && log_.texts("plugin.threads_left").empty();
  }
  static Monotonic soon() { return std::chrono::steady_clock::now() + test::kPatience; }

  test::TempDir dir_;
  RememberingLog log_;
  RecordingHost host_;
  unsigned number_ = 0;
};

}  // namespace triggerd::plugin
