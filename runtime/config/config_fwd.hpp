// Forward declarations, for headers that only pass these records on.
#pragma once

namespace triggerd::config {

struct Alias;
struct Config;
struct Keystore;
struct Proxy;
struct Trigger;
struct Truststore;

}  // namespace triggerd::config
