// The handlers, over the seam. Each group adds its routes; docs/reference/openapi.yaml has them.
#pragma once

#include <cstddef>

#include "admin/event_hub.hpp"
#include "admin/http.hpp"
#include "admin/json.hpp"
#include "admin/problem.hpp"
#include "admin/router.hpp"
#include "management/administration.hpp"

namespace triggerd::admin {

// How long a handler waits for a server or a service.
inline constexpr Millis kPublishTimeout{20'000};
inline constexpr Millis kTestTimeout{15'000};
// Many dead letters are replayed or dropped in portions, so that whoever asks sees progress.
inline constexpr Millis kPortion{2'000};
// The most that one page of dead letters has of payloads.
inline constexpr std::size_t kPageBytes = std::size_t{4} << 20;

// All of them, /metrics too.
void add_all_routes(Router& router, management::Administration& runtime, EventHub& hub);

void add_status_routes(Router& router, management::Administration& runtime);
void add_definition_routes(Router& router, management::Administration& runtime);
void add_try_routes(Router& router, management::Administration& runtime);
void add_plugin_routes(Router& router, management::Administration& runtime);
void add_dead_letter_routes(Router& router, management::Administration& runtime);
void add_event_routes(Router& router, EventHub& hub);
// The console's files and openapi.yaml.
void add_file_routes(Router& router);

// Who asks, for the record: what X-Triggerd-By says, and from where.
management::By who(const Request& request);

// The definition in the body of `request`. On the socket are those who may open whatever the
// runtime may.
management::DefinitionText definition_of(const Request& request, std::string json);

Reply json_reply(const Json& json, int status = 200);
Reply done();  // 204

// A parameter of the query; `errors` says what is wrong with it.
bool flag_parameter(const Request& request, const char* name, std::vector<FieldError>& errors);
std::optional<std::int64_t> number_parameter(const Request& request, const char* name,
                                             std::int64_t least, std::int64_t most,
                                             std::vector<FieldError>& errors);
std::optional<Wall> moment_parameter(const Request& request, const char* name,
                                     std::vector<FieldError>& errors);
std::string text_parameter(const Request& request, const char* name);
Reply bad_parameters(const std::vector<FieldError>& errors);

}  // namespace triggerd::admin
