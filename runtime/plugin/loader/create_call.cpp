#include "plugin/loader/create_call.hpp"

#include <vector>

#include "plugin/host/guarded_call.hpp"
#include "plugin/host/host_table.hpp"

namespace triggerd::plugin {
namespace {

trigger_str borrow(const std::string& text) {
  return {text.c_str(), text.size()};
}

std::uint32_t setting_type(config::Setting::Type type) {
  switch (type) {
    case config::Setting::Type::string:
      return TRIGGER_SETTING_STRING;
    case config::Setting::Type::integer:
      return TRIGGER_SETTING_INTEGER;
    case config::Setting::Type::floating:
      return TRIGGER_SETTING_FLOAT;
    case config::Setting::Type::boolean:
      return TRIGGER_SETTING_BOOL;
  }
  return TRIGGER_SETTING_STRING;
}

std::vector<trigger_setting> borrow(const std::vector<config::Setting>& settings) {
  std::vector<trigger_setting> borrowed;
  borrowed.reserve(settings.size());
  for (const config::Setting& setting : settings) {
    borrowed.push_back({borrow(setting.key), borrow(setting.value), setting_type(setting.type), 0});
  }
  return borrowed;
}

}  // namespace

CreateCall::CreateCall() = default;
CreateCall::~CreateCall() = default;

void CreateCall::run(decltype(trigger_service::create) create) {
  const CurrentCall current(&site, "create");
  const std::vector<trigger_setting> settings = borrow(trigger.settings.flat);
  const trigger_instance_config config{.struct_size = sizeof config,
                                       .concurrency = trigger.concurrency,
                                       .trigger = borrow(trigger.name),
                                       .alias = borrow(trigger.alias),
                                       .settings_json = borrow(trigger.settings.json),
                                       .settings = settings.data(),
                                       .setting_count = settings.size()};
  answer = call_for_result("create", [&](trigger_result* error) {
    return create(table->table(), &config, &handle, error);
  });
}

}  // namespace triggerd::plugin
