#include "mqtt/wire/dial.hpp"

#include <fmt/format.h>

#include <map>
#include <utility>

#include "base/mutex.hpp"

namespace triggerd::mqtt::wire {
namespace {

// No host has such a name: an underscore is not in them, and ".invalid" is nobody's (RFC 2606).
constexpr std::string_view kPrefix = "dial_";
constexpr std::string_view kSuffix = ".invalid";

// As table.cpp's: the library's calls carry nothing but the name.
struct Dials {
  Mutex mutex;
  std::map<std::string, std::shared_ptr<const Dial>, std::less<>> by_name
      TRIGGERD_GUARDED_BY(mutex);
  std::uint64_t last TRIGGERD_GUARDED_BY(mutex) = 0;
};

// Never destroyed: the library's threads may outlive main().
Dials& dials() {
  static auto* const made = new Dials;
  return *made;
}

}  // namespace

DialName::DialName(std::shared_ptr<const Dial> dial) {
  MutexLock lock(dials().mutex);
  text_ = fmt::format("{}{}{}", kPrefix, ++dials().last, kSuffix);
  dials().by_name[text_] = std::move(dial);
}

DialName::~DialName() {
  if (text_.empty()) return;
  std::shared_ptr<const Dial> gone;  // may be the last that keeps its sink
  MutexLock lock(dials().mutex);
  const auto found = dials().by_name.find(text_);
  if (found == dials().by_name.end()) return;
  gone = std::move(found->second);
  dials().by_name.erase(found);
}

DialName::DialName(DialName&& other) noexcept : text_(std::exchange(other.text_, {})) {}

DialName& DialName::operator=(DialName&& other) noexcept {
  std::swap(text_, other.text_);
  return *this;
}

bool is_dial_name(std::string_view name) {
  return name.starts_with(kPrefix) && name.ends_with(kSuffix);
}

std::shared_ptr<const Dial> find_dial(std::string_view name) {
  MutexLock lock(dials().mutex);
  const auto found = dials().by_name.find(name);
  return found == dials().by_name.end() ? nullptr : found->second;
}

std::string dialled_host(std::string_view name) {
  const auto dial = find_dial(name);
  return dial ? dial->host : std::string(name);
}

}  // namespace triggerd::mqtt::wire
