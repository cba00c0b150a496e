// base/: what every other folder stands on. It knows none of them.
//
//   result.hpp     Result<T>: errors are values
//   log.hpp        one event a line; the sink hides spdlog
//   limited_log.hpp  what repeats in it is counted
//   service_manager.hpp  what systemd is told
//   clock.hpp      time that a test can turn by hand
//   mutex.hpp      a mutex that clang's thread-safety analysis understands
//   event_loop.hpp tasks and timers on one thread
//   histogram.hpp  durations and sizes, counted in buckets
//   units.hpp      "30s", "64KiB" and back
//   backoff.hpp    jittered exponential delays
//   file.hpp       bounded file reading
//   state_dir.hpp  the folder the runtime keeps, locked against a second runtime
//   base64.hpp     bytes as text
//   text.hpp       "did you mean", printable topics
//
// Threads: everything here may be used from any thread unless its header says otherwise; nothing
// here starts a thread, but the log where it has to say later how much it held back.
#pragma once
