// The TLS part of the options that the MQTT library gets for a connect.
#pragma once

#include <MQTTAsync.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "mqtt/tls/material.hpp"

namespace triggerd::mqtt::tls {

// Gets the library's error lines, on its threads.
using ErrorLine = int (*)(const char* text, std::size_t size, void* context);

// Points into `material`. The library reads its files when it connects, which is later.
MQTTAsync_SSLOptions ssl_options(const Material& material, ErrorLine on_error, void* context);

// What such a line says, without the codes and source lines around it.
std::string reason_in(std::string_view error_line);

}  // namespace triggerd::mqtt::tls
