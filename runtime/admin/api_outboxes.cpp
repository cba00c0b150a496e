// Outboxes: what aliases keep to publish, shown and cleared.
#include <nlohmann/json.hpp>

#include "admin/api.hpp"
#include "admin/body.hpp"
#include "management/outboxes.hpp"

namespace triggerd::admin {
namespace {

using management::OutboxControl;

Reply list(const OutboxControl& outboxes, const Request& request) {
  std::vector<FieldError> errors;
  const PageSize size = page_size_parameters(request, 1 << 16, errors);
  if (!errors.empty()) return bad_parameters(errors);
  const auto kept = outboxes.kept_messages(request.names[0], size.messages, size.payload_bytes);
  if (!kept) return problem(kept.error());
  Json json = {{"items", Json::array()}};
  for (const management::KeptMessage& message : *kept) json["items"].push_back(to_json(message));
  return json_reply(json);
}

Reply clear(OutboxControl& outboxes, const Request& request) {
  const auto cleared = outboxes.clear_outbox(request.names[0], who(request));
  return cleared ? json_reply({{"cleared", *cleared}}) : problem(cleared.error());
}

}  // namespace

void add_outbox_routes(Router& router, OutboxControl& outboxes) {
  const std::string base = "/api/v1/aliases/{name}/outbox";
  router.get(base, [&outboxes](const Request& request) { return list(outboxes, request); });
  router.change("POST", base + "/clear",
                [&outboxes](const Request& request) { return clear(outboxes, request); });
}

}  // namespace triggerd::admin
