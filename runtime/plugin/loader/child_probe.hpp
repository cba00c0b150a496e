// Loads a plugin in a child process first: a constructor that crashes costs nothing there.
#pragma once

#include <filesystem>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace triggerd::plugin {

// Runs `program --probe FILE --private` (`file` is a private copy) and waits for its end, at most
// for `timeout`; then kills it. The error continues a sentence that begins with the file's name: it
// is what the child said, or the signal that ended it. [control]
Result<> probe_in_child(const std::filesystem::path& program, const std::filesystem::path& file,
                        Millis timeout, const Clock& clock = system_clock());

}  // namespace triggerd::plugin
