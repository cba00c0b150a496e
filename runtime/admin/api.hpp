// The handlers. Each group adds its routes and gets only the interfaces of management/ that it
// needs; docs/reference/openapi.yaml describes the routes.
#pragma once

#include <cstddef>

#include "admin/event_streamer.hpp"
#include "admin/http.hpp"
#include "admin/json.hpp"
#include "admin/problem.hpp"
#include "admin/router.hpp"
#include "base/clock.hpp"
#include "management/definitions.hpp"
#include "management/management.hpp"

namespace triggerd::admin {

// How long a handler waits for a server or a service.
inline constexpr Millis kPublishTimeout{20'000};
inline constexpr Millis kTestTimeout{15'000};
// Many dead letters are replayed or dropped in portions, so that the client sees progress.
inline constexpr Millis kPortion{2'000};

// Adds all of them, and /metrics too. `clock` outlives the router, here and below.
void add_all_routes(Router& router, const management::Management& runtime, EventStreamer& streamer,
                    const Clock& clock = system_clock());

void add_status_routes(Router& router, const management::StatusReader& status, const Clock& clock);
// A change of state is answered with the new status of the alias or trigger.
void add_state_routes(Router& router, management::StateControl& states,
                      const management::StatusReader& status, const Clock& clock);
void add_definition_routes(Router& router, management::DefinitionControl& definitions);
// The answer to a test of a trigger also says whether its filters match.
void add_test_run_routes(Router& router, management::TestRuns& test_runs,
                         const management::StatusReader& status);
void add_plugin_routes(Router& router, management::PluginControl& plugins);
void add_dead_letter_routes(Router& router, management::DeadLetterControl& dead_letters,
                            const Clock& clock);
void add_outbox_routes(Router& router, management::OutboxControl& outboxes);
void add_event_routes(Router& router, EventStreamer& streamer);
// The console's files and openapi.yaml.
void add_file_routes(Router& router);

// Who makes the request, for the log: what X-Triggerd-By says, and the peer.
management::Actor who(const Request& request);

// `json` as the definition that `request` sends. It is confined unless it came over the Unix
// socket, whose clients may open whatever the runtime may open.
management::DefinitionText definition_of(const Request& request, std::string json);

Reply json_reply(const Json& json, int status = 200);
Reply done();  // 204

// A parameter of the query. If it is wrong, that is added to `errors`.
bool flag_parameter(const Request& request, const char* name, std::vector<FieldError>& errors);
std::optional<std::int64_t> number_parameter(const Request& request, const char* name,
                                             std::int64_t least, std::int64_t most,
                                             std::vector<FieldError>& errors);
// How much of a list of messages is wanted: `limit` of them, 100 unless it says otherwise, with
// `payload_bytes` of each payload, 256 unless it says otherwise and `most_bytes` at most. No more
// messages than a page has room for.
struct PageSize {
  std::size_t messages;
  std::size_t payload_bytes;
};
PageSize page_size_parameters(const Request& request, std::int64_t most_bytes,
                              std::vector<FieldError>& errors);
// A duration is counted back from `now`.
std::optional<Wall> moment_parameter(const Request& request, const char* name, Wall now,
                                     std::vector<FieldError>& errors);
std::string text_parameter(const Request& request, const char* name);
Reply bad_parameters(const std::vector<FieldError>& errors);

}  // namespace triggerd::admin
