#include "mqtt/wire/pins.hpp"

#include <map>

#include "base/mutex.hpp"

namespace triggerd::mqtt::wire {
namespace {

// As table.cpp's: the library's calls carry nothing but the name. There are as many entries as
// hosts in the configuration.
struct Pins {
  Mutex mutex;
  std::map<std::string, std::string> by_host TRIGGERD_GUARDED_BY(mutex);
};

Pins& pins() {
  static Pins all;
  return all;
}

}  // namespace

void pin_address(const std::string& host, const std::string& address) {
  MutexLock lock(pins().mutex);
  pins().by_host[host] = address;
}

std::optional<std::string> pinned_address(const std::string& host) {
  MutexLock lock(pins().mutex);
  const auto found = pins().by_host.find(host);
  if (found == pins().by_host.end()) return std::nullopt;
  return found->second;
}

}  // namespace triggerd::mqtt::wire
