// A plugin whose constructor does what WAY says in the environment: throw, abort, exit.
#include <trigger/plugin.h>

#include <cstdlib>
#include <stdexcept>
#include <string_view>

namespace {

struct Exploding {
  Exploding() {
    const char* const found = std::getenv("EXPLODING_WAY");
    const std::string_view way = found == nullptr ? "" : found;
    if (way == "throw") throw std::runtime_error("thrown while it is loaded");
    if (way == "abort") std::abort();
    if (way == "exit") std::exit(0);
  }
} const exploding;

}  // namespace

extern "C" const trigger_plugin* trigger_plugin_entry_v1(const trigger_host*) {
  return nullptr;
}
