// Names of records, for headers that only pass them on.
#pragma once

namespace triggerd::config {

struct Alias;
struct Config;
struct Keystore;
struct Proxy;
struct Trigger;
struct Truststore;

}  // namespace triggerd::config
