#include "plugin/isolation/host_calls.hpp"

#include <string>

#include "plugin/host/request_check.hpp"

namespace triggerd::plugin::isolation {
namespace {

constexpr std::int32_t kNotNow = TRIGGER_E_STATE;

}  // namespace

std::string_view HostCalls::carry_out(ToHost type, std::string_view bytes, bool allowed) {
  switch (type) {
    case ToHost::complete:
      return complete(bytes, allowed);
    case ToHost::extend:
      return extend(bytes, allowed);
    case ToHost::publish:
      return publish(bytes, allowed);
    default:
      return "unknown call";
  }
}

std::string_view HostCalls::complete(std::string_view bytes, bool allowed) {
  auto call = decode_complete(bytes);
  if (!call || !is_verdict(call->answer.code)) return "malformed call to complete";
  return answer(call->place,
                allowed ? host_.complete(call->token, std::move(call->answer)) : kNotNow);
}

std::string_view HostCalls::extend(std::string_view bytes, bool allowed) {
  const auto call = decode_extend(bytes);
  if (!call) return "malformed call to extend";
  return answer(call->place, allowed ? host_.extend(call->token, call->ms) : kNotNow);
}

std::string_view HostCalls::publish(std::string_view bytes, bool allowed) {
  Publish call;
  if (!decode_publish(bytes, call) || !valid_publish(&call.request)) {
    return "malformed call to publish";
  }
  return answer(call.place, allowed ? publish_checked(call) : kNotNow);
}

std::int32_t HostCalls::publish_checked(const Publish& call) {
  if (call.id == 0) return host_.publish(call.request, {});
  const std::uint64_t worker = mailbox_->open();
  if (worker == 0) return TRIGGER_E_FULL;
  const std::int32_t code = host_.publish(
      call.request,
      [mailbox = mailbox_, worker, id = call.id](std::int32_t result, std::string reason) {
        mailbox->put(worker, {.id = id, .code = result, .reason = std::move(reason)});
      });
  if (code != TRIGGER_OK) mailbox_->drop();
  return code;
}

std::string_view HostCalls::answer(std::uint32_t place, std::int32_t code) {
  if (place >= kCallPlaces) return "call index out of range";
  CallPlace& call = shared_.calls[place];
  call.code.store(code, std::memory_order_relaxed);
  call.answered.store(1, std::memory_order_release);
  wake(call.answered, 1);
  return {};
}

}  // namespace triggerd::plugin::isolation
