// base/: what all other folders use. It knows none of them.
//
//   result.hpp     Result<T>: errors are values
//   log.hpp        one event a line; the sink hides spdlog
//   limited_log.hpp  a log that counts repeated lines instead of writing them
//   service_manager.hpp  notifications to systemd
//   clock.hpp      time behind an interface, for tests
//   mutex.hpp      a mutex that clang's thread-safety analysis understands
//   event_loop.hpp tasks and timers on one thread
//   histogram.hpp  durations and sizes, counted in buckets
//   units.hpp      "30s", "64KiB" and back
//   backoff.hpp    exponential delays with jitter
//   file.hpp       bounded reading, atomic replacement
//   state_dir.hpp  the folder the runtime keeps, locked against a second runtime
//   base64.hpp     bytes as text
//   text.hpp       "did you mean", printable topics
//
// Threads: everything here may be used from any thread unless its header says otherwise. Only the
// log starts a thread, when it has to report later how many lines it held back.
#pragma once
