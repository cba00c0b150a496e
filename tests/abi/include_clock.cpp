#include "include_clock.h"

const trigger_clock* include_clock_cpp(const trigger_host* host) {
  return static_cast<const trigger_clock*>(host->extension(host->ctx, TRIGGER_CLOCK));
}
