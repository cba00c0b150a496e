#include "trigger/message_id.hpp"

#include <fmt/core.h>

#include <random>

namespace triggerd::trigger {
namespace {

std::string draw_prefix() {
  std::random_device entropy;
  return fmt::format("{:08x}{:08x}-", entropy(), entropy());
}

}  // namespace

MessageIds::MessageIds() : prefix_(draw_prefix()) {}

std::string MessageIds::next() {
  return prefix_ + std::to_string(++count_);
}

}  // namespace triggerd::trigger
