// What the seam says, as JSON: the words and rules of docs/reference/openapi.yaml.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "trigger/administration.hpp"

namespace triggerd::admin {

using Json = nlohmann::ordered_json;

// RFC 3339 in UTC with milliseconds.
std::string time_text(Wall at);

// Text; bytes that are no UTF-8, in a log line of a service for instance, are replaced.
std::string dump(const Json& json);

// `payload` where it is UTF-8, else `payload_base64`. Of a payload that was cut, a character that
// was cut with it is left out.
void put_payload(Json& json, std::string_view payload, bool cut = false);

// `detail`: with the definition, where one is asked for.
Json to_json(const trigger::AliasStatus& alias, bool detail);
Json to_json(const trigger::TriggerStatus& trigger, Wall now, bool detail);
Json to_json(const trigger::PluginStatus& plugin);
Json to_json(const trigger::PackageStatus& package);
Json to_json(const trigger::StoreStatus& store);
Json to_json(const trigger::InboxStatus& inbox, Wall now);
Json to_json(const trigger::ReloadReport& report, bool applied);
Json to_json(const trigger::AliasTest& test);
Json to_json(const trigger::TriggerTest& test);
Json to_json(const trigger::TopicMatch& match);
Json to_json(const trigger::DeadLetterView& letter);
Json to_json(const trigger::AdminEvent& event);

// The state of a trigger in one word.
std::string_view state_of(const trigger::TriggerStatus& trigger);

}  // namespace triggerd::admin
