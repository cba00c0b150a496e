// Calls host functions from a worker: each call waits in a call place for the code that the host
// writes there.
//
// A lock of its own, which is not held while a call waits. [any thread of the worker]
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/mutex.hpp"
#include "plugin/isolation/frames.hpp"
#include "plugin/isolation/host_writer.hpp"
#include "plugin/isolation/protocol.hpp"
#include "plugin/isolation/shared_memory.hpp"
#include "plugin/work.hpp"

namespace triggerd::plugin::isolation {

class HostCaller {
 public:
  // Short calls go through `writer`, long ones through `socket`. All of them outlive it.
  HostCaller(SharedLayout& shared, WorkerSocket& socket, HostWriter& writer);

  // As InstanceHost has them.
  std::int32_t complete(std::uint64_t token, Answer answer);
  std::int32_t extend(std::uint64_t token, std::uint32_t ms);
  std::int32_t publish(const trigger_publish& request, PublishDone done);

  // The result of a publish: calls its `done`. [reader]
  void published(Published published);

 private:
  std::int32_t call(ToHost type, const std::function<std::string(std::uint32_t)>& encoded);
  std::uint32_t take_place();
  void give_back(std::uint32_t place);

  SharedLayout& shared_;
  WorkerSocket& socket_;
  HostWriter& writer_;
  Mutex mutex_;
  CondVar place_free_;
  std::vector<std::uint32_t> free_places_ TRIGGERD_GUARDED_BY(mutex_);
  std::uint64_t last_publish_ TRIGGERD_GUARDED_BY(mutex_) = 0;
  std::unordered_map<std::uint64_t, PublishDone> publishes_ TRIGGERD_GUARDED_BY(mutex_);
};

}  // namespace triggerd::plugin::isolation
