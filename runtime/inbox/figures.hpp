// Counts what is in the inbox. [any]
#pragma once

#include "base/result.hpp"
#include "inbox/records.hpp"

namespace triggerd::inbox {

class Reader;

// Counts every row, which takes time, under the reader's lock.
Result<Figures> count_all(Reader& counting);

}  // namespace triggerd::inbox
