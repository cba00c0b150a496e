/* trigger/clock.h alone is enough, as C and as C++, and its layout is that of trigger.clock/1. */
#ifndef INCLUDE_CLOCK_H
#define INCLUDE_CLOCK_H

#include <trigger/clock.h>

#include "layout_asserts.h"

#define CLOCK_FIELD(field, offset) \
  LAYOUT_ASSERT(trigger_clock_##field, offsetof(trigger_clock, field) == (offset))
LAYOUT_ASSERT(trigger_clock_size, sizeof(trigger_clock) == 32)
CLOCK_FIELD(struct_size, 0)
CLOCK_FIELD(ctx, 8)
CLOCK_FIELD(unix_ns, 16)
CLOCK_FIELD(mono_ns, 24)

#endif /* INCLUDE_CLOCK_H */
