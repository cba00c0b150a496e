#include "offline/offline_run.hpp"

#include <fmt/format.h>
#include <trigger/plugin.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "command_line.hpp"
#include "plugin/plugin.hpp"

namespace triggerctl {
namespace {

using triggerd::plugin::Generation;
using triggerd::plugin::Instance;

constexpr Millis kEnd{2'000};  // for a call to return after its verdict

int failed(Events& events, const std::string& message) {
  events.send({{"event", "failed"}, {"message", message}});
  return kFailed;
}

Json service_json(const trigger_service& service) {
  return {{"name", std::string(service.name.ptr, service.name.len)},
          {"concurrent", (service.flags & TRIGGER_SERVICE_CONCURRENT) != 0},
          {"brief", (service.flags & TRIGGER_SERVICE_BRIEF) != 0},
          {"handle_batch", service.handle_batch != nullptr},
          {"probe", service.probe != nullptr},
          {"save", service.save != nullptr},
          {"restore", service.restore != nullptr},
          {"state_version", service.state_version},
          {"extension", service.extension != nullptr}};
}

void tell_plugin(const Generation& generation, Events& events) {
  Json event{{"event", "plugin"},
             {"plugin", generation.name()},
             {"version", std::string(generation.version())},
             {"sha256", generation.sha256()},
             {"services", Json::array()}};
  for (const std::string& name : generation.service_names()) {
    if (const auto service = generation.find_service(name)) {
      event["services"].push_back(service_json(**service));
    }
  }
  events.send(event);
}

triggerd::Result<std::shared_ptr<Generation>> load(const std::filesystem::path& file,
                                                   const std::filesystem::path& stage_dir,
                                                   EventLog& log, Events& events) {
  events.stage("a constructor or its entry function");
  return Generation::load({.name = file.stem().string(), .file = file, .stage_dir = stage_dir},
                          log);
}

void tell_metrics(const Instance& instance, Events& events) {
  for (const triggerd::plugin::Metric& metric : instance.metrics()) {
    events.send({{"event", "metric"}, {"name", metric.name}, {"value", metric.value}});
  }
}

// While a call does not return, nothing else can be shut down: the process just exits.
[[noreturn]] void leave_now(int code) {
  std::fflush(nullptr);
  ::_exit(code);
}

int call_service(const OfflineRun& run, OfflineHost& host, Instance& instance, Events& events) {
  events.stage("start");
  if (auto started = instance.start(); !started) return failed(events, started.error().message);
  if (auto workers = instance.run_workers(host, 1); !workers) {
    return failed(events, workers.error().message);
  }
  events.stage("handle");
  bool in_time = true;
  for (std::uint32_t i = 1; i <= run.times && in_time; ++i) in_time = host.try_message(i);
  tell_metrics(instance, events);
  if (!in_time && !host.quiet()) leave_now(kDone);
  if (!instance.join_workers(std::chrono::steady_clock::now() + kEnd)) leave_now(kDone);
  events.stage("stop");
  instance.stop();
  return kDone;
}

}  // namespace

int run_offline(const OfflineRun& run, Events& events) {
  EventLog log(events);
  auto generation = load(run.file, run.stage_dir, log, events);
  if (!generation) return failed(events, generation.error().message);
  OfflineHost host(events, run.message, run.timeout);
  triggerd::config::Trigger trigger;
  trigger.name = "offline";
  trigger.alias = "offline";
  trigger.plugin = run.file.stem().string();
  trigger.service = run.service;
  trigger.settings = run.settings;
  trigger.timeout = run.timeout;
  events.stage("create");
  auto instance = (*generation)->create(trigger, host);
  if (!instance) return failed(events, instance.error().message);
  const int code = call_service(run, host, **instance, events);
  events.stage("destroy");
  instance = tl::make_unexpected(triggerd::Error{});
  events.stage("a destructor");
  generation = tl::make_unexpected(triggerd::Error{});
  return code;
}

int probe_offline(const std::filesystem::path& file, const std::filesystem::path& stage_dir,
                  Events& events) {
  EventLog log(events);
  auto generation = load(file, stage_dir, log, events);
  if (!generation) return failed(events, generation.error().message);
  tell_plugin(**generation, events);
  events.stage("a destructor");
  generation = tl::make_unexpected(triggerd::Error{});
  return kDone;
}

}  // namespace triggerctl
