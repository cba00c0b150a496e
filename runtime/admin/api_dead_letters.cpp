// Dead letters: listed, shown, edited, replayed and dropped, one by one or many.
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "admin/api.hpp"
#include "admin/body.hpp"
#include "base/text.hpp"
#include "management/dead_letters.hpp"

namespace triggerd::admin {
namespace {

using management::DeadLetterControl;
using management::DeadLetterFilter;

std::optional<std::int64_t> number_of(const Request& request) {
  const std::string& text = request.names[0];
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 1) return std::nullopt;
  return number;
}

// A handler that gets the number.
Handler numbered(std::function<Reply(const Request&, std::int64_t)> handler) {
  return [handler = std::move(handler)](const Request& request) {
    const auto number = number_of(request);
    if (!number) {
      return problem(404,
                     fmt::format("there is no dead letter \"{}\": they are named by their numbers",
                                 printable(request.names[0])));
    }
    return handler(request, *number);
  };
}

Reply list(const DeadLetterControl& dead_letters, const Clock& clock, const Request& request) {
  std::vector<FieldError> errors;
  const Wall now = clock.wall();
  DeadLetterFilter filter;
  filter.trigger = text_parameter(request, "trigger");
  filter.since = moment_parameter(request, "since", now, errors);
  filter.until = moment_parameter(request, "until", now, errors);
  const auto before = number_parameter(request, "before", 1, INT64_MAX, errors);
  const PageSize size = page_size_parameters(request, 1 << 28, errors);
  if (!errors.empty()) return bad_parameters(errors);
  const auto page = dead_letters.dead_letters(filter, before, size.messages, size.payload_bytes);
  if (!page) return problem(page.error());
  Json json = {{"items", Json::array()}};
  for (const auto& letter : page->dead_letters) json["items"].push_back(to_json(letter));
  if (page->next) json["next"] = *page->next;
  json["total"] = page->total;
  return json_reply(json);
}

Reply show(const DeadLetterControl& dead_letters, std::int64_t number) {
  const auto letter = dead_letters.dead_letter(number);
  return letter ? json_reply(to_json(*letter)) : problem(letter.error());
}

Reply edit(DeadLetterControl& dead_letters, const Request& request, std::int64_t number) {
  Body body(request, true);
  const auto topic = body.optional_text("topic");
  const auto payload = body.payload();
  if (auto refused = body.refused()) return *refused;
  const auto edited = dead_letters.edit_dead_letter(number, topic, payload, who(request));
  return edited ? show(dead_letters, number) : problem(edited.error());
}

Reply one(const management::Outcome<>& outcome) {
  return outcome ? done() : problem(outcome.error());
}

using Many = management::Outcome<management::DeadLettersDone> (DeadLetterControl::*)(
    const DeadLetterFilter&, const management::Actor&, const DeadLetterControl::Progress&);

Reply many(DeadLetterControl& dead_letters, const Clock& clock, const Request& request, Many verb) {
  Body body(request, true);
  const Wall now = clock.wall();
  DeadLetterFilter filter;
  filter.trigger = body.text("trigger");
  filter.since = body.moment("since", now);
  filter.until = body.moment("until", now);
  filter.up_to = body.number("up_to");
  if (auto refused = body.refused()) return *refused;
  const Monotonic end = clock.now() + kPortion;
  std::uint64_t remaining = 0;
  const auto outcome =
      (dead_letters.*verb)(filter, who(request), [&](std::uint64_t so_far, std::uint64_t total) {
        remaining = total - std::min(so_far, total);
        return clock.now() < end;
      });
  if (!outcome) return problem(outcome.error());
  Json json = {{"done", outcome->done}, {"failed", outcome->failed}};
  if (!outcome->last_failure.empty()) json["last_failure"] = outcome->last_failure;
  json["remaining"] = remaining;
  if (outcome->up_to > 0) json["up_to"] = outcome->up_to;
  return json_reply(json);
}

}  // namespace

void add_dead_letter_routes(Router& router, DeadLetterControl& dead_letters, const Clock& clock) {
  const std::string base = "/api/v1/dead-letters";
  router.get(base, [&dead_letters, &clock](const Request& request) {
    return list(dead_letters, clock, request);
  });
  router.change("POST", base + "/replay", [&dead_letters, &clock](const Request& request) {
    return many(dead_letters, clock, request, &DeadLetterControl::replay_dead_letters);
  });
  router.change("POST", base + "/drop", [&dead_letters, &clock](const Request& request) {
    return many(dead_letters, clock, request, &DeadLetterControl::drop_dead_letters);
  });
  router.get(base + "/{number}", numbered([&dead_letters](const Request&, std::int64_t number) {
               return show(dead_letters, number);
             }));
  router.change("PUT", base + "/{number}",
                numbered([&dead_letters](const Request& request, std::int64_t number) {
                  return edit(dead_letters, request, number);
                }));
  router.change("DELETE", base + "/{number}",
                numbered([&dead_letters](const Request& request, std::int64_t number) {
                  return one(dead_letters.drop_dead_letter(number, who(request)));
                }));
  router.change("POST", base + "/{number}/replay",
                numbered([&dead_letters](const Request& request, std::int64_t number) {
                  return one(dead_letters.replay_dead_letter(number, who(request)));
                }));
}

}  // namespace triggerd::admin
