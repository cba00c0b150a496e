// The versions of MQTT that an alias may speak.
#pragma once

namespace triggerd::config {

enum class Protocol { v3_1_1, v5 };

}  // namespace triggerd::config
