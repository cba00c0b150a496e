#include "offline/run.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "base/units.hpp"
#include "command_line.hpp"
#include "offline/child.hpp"
#include "offline/offline_run.hpp"
#include "offline/report.hpp"
#include "offline/settings.hpp"

namespace triggerctl {
namespace {

using triggerd::fail;

// In addition to the time for a verdict: for create, start, stop and unloading.
constexpr Millis kBesides{10'000};

// The name of a file may contain a colon.
void split_service(const std::string& text, OfflineRun& run) {
  std::error_code ignored;
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || std::filesystem::exists(text, ignored)) {
    run.file = text;
    return;
  }
  run.file = text.substr(0, colon);
  run.service = text.substr(colon + 1);
}

Result<std::string> payload_of(const RunOptions& options) {
  if (options.payload_file.empty()) return options.payload;
  if (options.payload_file == "-") {
    return std::string(std::istreambuf_iterator<char>(std::cin), {});
  }
  std::ifstream in(options.payload_file, std::ios::binary);
  std::string payload(std::istreambuf_iterator<char>(in), {});
  if (!in.is_open() || in.bad()) return fail("cannot read --payload-file {}", options.payload_file);
  return payload;
}

Result<OfflineMessage> message_of(const RunOptions& options) {
  auto payload = payload_of(options);
  if (!payload) return tl::make_unexpected(payload.error());
  if (options.topic.empty() || options.topic.find_first_of("+#") != std::string::npos) {
    return fail("--topic {}: a message's topic must not be empty or contain wildcards",
                options.topic);
  }
  OfflineMessage message{.topic = options.topic,
                         .payload = *std::move(payload),
                         .qos = options.qos,
                         .retain = options.retain,
                         .attempt = options.attempt,
                         .user_properties = {},
                         .content_type = options.content_type,
                         .response_topic = options.response_topic};
  for (const std::string& property : options.properties) {
    const std::size_t equals = property.find('=');
    if (equals == std::string::npos) return fail("--property {}: write NAME=VALUE", property);
    message.user_properties.emplace_back(property.substr(0, equals), property.substr(equals + 1));
  }
  return message;
}

Result<OfflineRun> plan_of(const RunOptions& options) {
  OfflineRun run;
  split_service(options.service, run);
  auto message = message_of(options);
  if (!message) return tl::make_unexpected(message.error());
  run.message = *std::move(message);
  auto settings = settings_from(options.settings, options.set);
  if (!settings) return tl::make_unexpected(settings.error());
  run.settings = *std::move(settings);
  auto timeout = triggerd::parse_duration(options.timeout);
  if (!timeout) return fail("--timeout {}: {}", options.timeout, timeout.error().message);
  run.timeout = *timeout;
  run.times = options.times;
  return run;
}

}  // namespace

int run_plugin(const RunOptions& options) {
  auto run = plan_of(options);
  if (!run) {
    fail_with(run.error().message);
    return kUsage;
  }
  const auto stage = StageFolder::make();
  if (!stage) return fail_with(stage.error().message);
  run->stage_dir = stage->path();
  RunReport report;
  const Millis silence = run->timeout + kBesides;
  const auto end = run_in_child([&](Events& events) { return run_offline(*run, events); },
                                [&](const Json& event) { report.add(event); }, silence);
  if (!end) return fail_with(end.error().message);
  return report.finish(*end, silence);
}

}  // namespace triggerctl
