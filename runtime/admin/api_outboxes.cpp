// Outboxes: what aliases keep to publish, shown and cleared.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "admin/api.hpp"
#include "admin/body.hpp"
#include "management/outboxes.hpp"

namespace triggerd::admin {
namespace {

using management::OutboxControl;

Reply list(const OutboxControl& outboxes, const Request& request) {
  std::vector<FieldError> errors;
  const auto limit = number_parameter(request, "limit", 1, 1'000, errors);
  const auto bytes = number_parameter(request, "payload_bytes", 0, 1 << 16, errors);
  if (!errors.empty()) return bad_parameters(errors);
  const auto payload_bytes = static_cast<std::size_t>(bytes.value_or(256));
  const std::size_t fit = kPageBytes / std::max<std::size_t>(payload_bytes, 1);
  const std::size_t wanted =
      std::clamp<std::size_t>(fit, 1, static_cast<std::size_t>(limit.value_or(100)));
  const auto kept = outboxes.kept_messages(request.names[0], wanted, payload_bytes);
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
