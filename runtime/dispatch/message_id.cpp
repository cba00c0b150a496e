#include "dispatch/message_id.hpp"

#include <random>
#include <string_view>

namespace triggerd::dispatch {
namespace {

constexpr std::string_view kDigits =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::size_t kPrefix = 9;
constexpr std::size_t kCounter = 6;

// The digit after this one; kDigits is in the order of its characters.
char after(char digit) {
  if (digit == '9') return 'A';
  if (digit == 'Z') return 'a';
  return static_cast<char>(digit + 1);
}

}  // namespace

MessageIds::MessageIds() {
  MutexLock lock(mutex_);
  draw_prefix();
}

void MessageIds::draw_prefix() {
  std::random_device entropy;
  std::uniform_int_distribution<std::size_t> digit(0, kDigits.size() - 1);
  last_.clear();
  for (std::size_t i = 0; i < kPrefix; ++i) last_ += kDigits[digit(entropy)];
  last_.append(kCounter, kDigits.front());
}

std::string MessageIds::next() {
  MutexLock lock(mutex_);
  for (std::size_t i = last_.size(); i-- > kPrefix;) {
    if (last_[i] != kDigits.back()) {
      last_[i] = after(last_[i]);
      return last_;
    }
    last_[i] = kDigits.front();
  }
  draw_prefix();  // after 56 thousand million messages
  return last_;
}

}  // namespace triggerd::dispatch
