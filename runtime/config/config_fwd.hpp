// The names of config.hpp, for headers that only pass a part of a configuration on.
#pragma once

namespace triggerd::config {

struct Alias;
struct Config;
struct Keystore;
struct Proxy;
struct Trigger;
struct Truststore;

}  // namespace triggerd::config
