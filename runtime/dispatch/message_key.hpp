// Which messages of a trigger count as the same. Pure, any thread.
#pragma once

#include <optional>
#include <string>

#include "config/delivery_rules.hpp"
#include "inbox/records.hpp"
#include "mqtt/message.hpp"

namespace triggerd::dispatch {

// Two messages have the same key only if they are the same by this rule; under another rule all
// keys are others. nullopt: this message has none, and equals no other.
std::optional<inbox::MessageKey> message_key(const config::Deduplicate& rule,
                                             const mqtt::Message& message);

// What the key is made of, for people: the value of the property, or what the payload has there, as
// JSON. With By::payload it is the whole payload, and this is empty.
std::optional<std::string> message_key_text(const config::Deduplicate& rule,
                                            const mqtt::Message& message);

}  // namespace triggerd::dispatch
