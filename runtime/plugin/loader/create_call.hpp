// A call of a service's create with the settings of a trigger, in memory that the call keeps: it
// may hang, and then it uses what it was given for ever.
#pragma once

#include <trigger/plugin.h>

#include <memory>

#include "base/result.hpp"
#include "config/trigger.hpp"
#include "plugin/process/current_call.hpp"

namespace triggerd::plugin {

class ContentStage;
class HostTable;

struct CreateCall {
  CreateCall();
  ~CreateCall();
  CreateCall(const CreateCall&) = delete;
  CreateCall& operator=(const CreateCall&) = delete;

  // Calls `create`, and leaves `handle` and `answer`. [life thread]
  void run(decltype(trigger_service::create) create);

  CallSite site;
  config::Trigger trigger;
  std::shared_ptr<ContentStage> content;  // the instance's; null: nothing is asked of messages
  std::unique_ptr<HostTable> table;       // the instance's
  void* handle = nullptr;                 // what create has made
  Result<> answer;
};

}  // namespace triggerd::plugin
