#include "base/deferred.hpp"

namespace triggerd {

constinit thread_local Deferred* Deferred::current_ = nullptr;

void Deferred::run(Millis budget) {
  current_ = nullptr;
  if (work_.empty()) return;
  const Monotonic until = clock_.now() + budget;
  bool in_time = true;
  for (const std::shared_ptr<Work>& work : work_) {
    work->run(in_time);
    in_time = in_time && clock_.now() < until;
  }
  work_.clear();
}

}  // namespace triggerd
