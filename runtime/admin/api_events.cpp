// /api/v1/events.
#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "admin/api.hpp"
#include "base/text.hpp"

namespace triggerd::admin {
namespace {

constexpr std::array<std::string_view, 9> kKinds = {"message", "dead_letter", "trigger",
                                                    "alias",   "connection",  "plugin",
                                                    "package", "runtime",     "inbox"};

Reply events(EventStreamer& streamer, const Request& request) {
  EventChoice choice;
  choice.trigger = text_parameter(request, "trigger");
  const std::string kinds = text_parameter(request, "kind");
  std::string_view rest = kinds;
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    const std::string_view kind = rest.substr(0, comma);
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    if (std::find(kKinds.begin(), kKinds.end(), kind) == kKinds.end()) {
      std::string all;
      for (const std::string_view known : kKinds)
        all += (all.empty() ? "" : ", ") + std::string(known);
      return bad_parameters(
          {{"kind", fmt::format("\"{}\" is not one of {}", printable(kind), all)}});
    }
    choice.kinds.emplace_back(kind);
  }
  if (request.method == "HEAD") return {200, "text/event-stream", ""};
  auto stream = streamer.open(std::move(choice));
  if (!stream) {
    return problem(
        503, fmt::format("{} event streams are open already; close one", EventStreamer::kStreams));
  }
  Reply reply{200, "text/event-stream", ""};
  reply.stream = std::move(stream);
  return reply;
}

}  // namespace

void add_event_routes(Router& router, EventStreamer& streamer) {
  router.add({"GET", "/api/v1/events", Lane::wait,
              [&streamer](const Request& request) { return events(streamer, request); }});
}

}  // namespace triggerd::admin
