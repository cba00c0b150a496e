#include "content/content.hpp"

#include <map>
#include <string>

#include "base/mutex.hpp"
#include "content/program.hpp"
#include "content/schema.hpp"

namespace triggerd::content {
namespace {

// A configuration is read again and again, with the same programs.
class Checked {
 public:
  Result<> check(const std::string& text) {
    const MutexLock lock(mutex_);
    const auto known = known_.find(text);
    if (known != known_.end()) return known->second;
    if (known_.size() >= kMost) known_.clear();
    return known_.emplace(text, Program::check(text)).first->second;
  }

 private:
  static constexpr std::size_t kMost = 10'000;

  Mutex mutex_;
  std::map<std::string, Result<>> known_ TRIGGERD_GUARDED_BY(mutex_);
};

}  // namespace

Result<> check_program(const std::string& text) {
  static Checked checked;
  return checked.check(text);
}

Result<> check_schema(const std::string& json) {
  return Schema::parse(json).map([](const Schema&) {});
}

}  // namespace triggerd::content
