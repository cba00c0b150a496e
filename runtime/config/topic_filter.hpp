// MQTT topic names and topic filters (MQTT 3.1.1, sections 4.7.1 to 4.7.3), and shared
// subscriptions (MQTT 5.0, section 4.8.2; many servers support them with 3.1.1 too).
//
// These are pure functions, for any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace triggerd::config {

// Whether a server would accept `filter` in SUBSCRIBE; the error says what is wrong with it.
Result<> check_topic_filter(std::string_view filter);
// The filter to send in SUBSCRIBE so that replicas share the work ("$share/GROUP/FILTER"); without
// a group, the filter itself. Messages still arrive with their plain topics.
std::string shared_filter(std::string_view group, std::string_view filter);
// Whether `group` is a valid group name; the error says why not.
Result<> check_shared_group(std::string_view group);
// Whether a server would accept `topic` in PUBLISH.
Result<> check_topic_name(std::string_view topic);

// Whether a message on `topic` reaches a subscription to `filter`. Both must be valid. A filter
// that begins with a wildcard does not match a topic that begins with "$" ($SYS and the like).
bool matches(std::string_view filter, std::string_view topic);

// Level `number` of `topic`, counted from 1; empty if the topic has fewer levels.
std::string_view topic_level(std::string_view topic, unsigned number);

}  // namespace triggerd::config
