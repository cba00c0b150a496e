// [aliases.NAME]
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "webmethods/context.hpp"
#include "webmethods/draft.hpp"

namespace triggerd::webmethods {

bool uses_tls(const ExportedAlias& alias);

// Servers, and the client ids that are in use on them. No two aliases may share one.
using ClientIds = std::vector<std::pair<std::string, std::string>>;

// Adds the alias's client id to `client_ids`, or gives it none if that is in use.
void write_alias(Draft& draft, const Context& context, ClientIds& client_ids,
                 const ExportedAlias& alias, const std::string& name);

}  // namespace triggerd::webmethods
