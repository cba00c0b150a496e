// The values of management/ as JSON, with the names and rules of docs/reference/openapi.yaml.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "management/dead_letters.hpp"
#include "management/events.hpp"
#include "management/outboxes.hpp"
#include "management/status.hpp"
#include "management/test_runs.hpp"

namespace triggerd::admin {

using Json = nlohmann::ordered_json;

// RFC 3339 in UTC with milliseconds.
std::string time_text(Wall at);

// `json` as text. Bytes that are not UTF-8, for instance in a service's log line, are replaced.
std::string dump(const Json& json);

// Adds `payload` if it is UTF-8, else `payload_base64`. `cut`: the payload was cut short, so an
// incomplete character at its end is left out.
void put_payload(Json& json, std::string_view payload, bool cut = false);

// `detail`: includes the definition, as when a single alias or trigger is asked for.
Json to_json(const management::AliasStatus& alias, bool detail);
Json to_json(const management::TriggerStatus& trigger, Wall now, bool detail);
Json to_json(const management::PluginStatus& plugin);
Json to_json(const management::PackageStatus& package);
Json to_json(const management::StoreStatus& store);
Json to_json(const management::InboxStatus& inbox, Wall now);
Json to_json(const management::ReloadReport& report, bool applied);
Json to_json(const management::AliasTest& test);
Json to_json(const management::TriggerTest& test);
Json to_json(const management::TopicMatch& match);
Json to_json(const management::DeadLetterView& letter);
Json to_json(const management::KeptMessage& message);
Json to_json(const management::AdminEvent& event);

// The state of a trigger in one word.
std::string_view state_of(const management::TriggerStatus& trigger);

}  // namespace triggerd::admin
