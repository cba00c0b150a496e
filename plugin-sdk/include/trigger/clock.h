/*
 * trigger/clock.h - the extension "trigger.clock/1": the time, as the host has it.
 *
 * A service that reads the time through it can be tested without waiting: the test kit offers it,
 * and there time stands still until the test moves it. A runtime need not offer it; without it the
 * time is the system's own. C++ has Context::now() and Context::monotonic(), Rust has the same.
 *
 *     const trigger_clock* clock = host->extension(host->ctx, TRIGGER_CLOCK);   (may be NULL)
 */
#ifndef TRIGGER_CLOCK_H
#define TRIGGER_CLOCK_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TRIGGER_CLOCK "trigger.clock/1"

/* Made by the host, valid as long as the trigger_host that returned it. The struct never changes;
 * anything more would be another extension. [any] */
typedef struct trigger_clock {
  uint32_t struct_size;
  uint32_t reserved;
  void* ctx;
  /* Nanoseconds since 1970-01-01 UTC, as trigger_message.received_unix_ns. */
  int64_t (*unix_ns)(void* ctx);
  /* Nanoseconds of CLOCK_MONOTONIC, as trigger_message.deadline_mono_ns. */
  uint64_t (*mono_ns)(void* ctx);
} trigger_clock;

#ifdef __cplusplus
}
#endif

#endif /* TRIGGER_CLOCK_H */
