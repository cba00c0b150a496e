// The tables of inbox.db. PRAGMA user_version holds the schema's version.
#pragma once

#include "base/result.hpp"

namespace triggerd::inbox {

class Database;

// Brings an empty or older file to the current schema in one transaction. A newer schema is an
// error.
Result<> migrate(Database& database);

}  // namespace triggerd::inbox
