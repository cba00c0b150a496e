// What a generation's workers and its services need from whoever has messages: two small
// interfaces, implemented by trigger/. plugin/ does not know what a message is beyond the ABI.
#pragma once

#include <trigger/plugin.h>

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

#include "base/result.hpp"

namespace triggerd::plugin {

// A verdict as values, free of ABI memory. `code` is a TRIGGER_... code, not yet judged: what a
// service returned may be nonsense.
struct Answer {
  std::int32_t code = TRIGGER_RETRY;
  std::uint32_t retry_after_ms = 0;
  std::string reason;
};

// Where workers get their messages.
class WorkSource {
 public:
  virtual ~WorkSource() = default;
  // Blocks until there is a message; nullptr once `stop` is requested. The message belongs to the
  // source and stays valid until answered() has been called for it, and after TRIGGER_PENDING until
  // complete() or revoke_all(). [worker]
  virtual const trigger_message* take(std::stop_token stop) = 0;
  // handle() has returned this for it. [worker]
  virtual void answered(const trigger_message& message, Answer answer) = 0;

  // What take() returns instead of a message to have the service's probe called: its address.
  static const trigger_message kProbe;
  // probe() has returned. [worker]
  virtual void probed(const Result<>& outcome) { (void)outcome; }
};

// What becomes of a publish: called exactly once, on any thread, unless publish() itself failed.
using PublishDone = std::function<void(std::int32_t code, std::string reason)>;

// The host functions of one instance, behind its trigger_host table. Every function may be called
// from [any] thread and returns a TRIGGER_... code.
class InstanceHost {
 public:
  virtual ~InstanceHost() = default;
  virtual std::int32_t complete(std::uint64_t token, Answer answer) = 0;
  virtual std::int32_t extend(std::uint64_t token, std::uint32_t ms) = 0;
  // `request` was checked for NULLs and sizes. `done` may be empty.
  virtual std::int32_t publish(const trigger_publish& request, PublishDone done) = 0;
};

}  // namespace triggerd::plugin
