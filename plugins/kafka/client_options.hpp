// What librdkafka is configured with.
#pragma once

#include <librdkafka/rdkafka.h>

#include <memory>
#include <string>
#include <string_view>

#include "settings.hpp"

namespace kafka {

using Configuration = std::unique_ptr<rd_kafka_conf_t, decltype(&rd_kafka_conf_destroy)>;

// Why `options` may not have this one; empty if it may. It continues 'setting "options.NAME" '.
std::string why_refused(std::string_view option);

// Throws trigger::SettingError if librdkafka does not take a value, and std::runtime_error if the
// password cannot be read. Needs no thread and no network.
Configuration make_configuration(const Settings& settings);

}  // namespace kafka
