#include "base/task_guard.hpp"

#include <future>

namespace triggerd {
namespace {

std::future<void> passed(EventLoop& loop) {
  const auto passed = std::make_shared<std::promise<void>>();
  loop.post([passed] { passed->set_value(); });
  return passed->get_future();
}

}  // namespace

bool passes(EventLoop& loop, Monotonic deadline) {
  return passed(loop).wait_until(deadline) == std::future_status::ready;
}

void pass(EventLoop& loop) {
  passed(loop).wait();
}

}  // namespace triggerd
