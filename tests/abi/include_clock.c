#include "include_clock.h"

const trigger_clock* include_clock_c(const trigger_host* host) {
  return (const trigger_clock*)host->extension(host->ctx, TRIGGER_CLOCK);
}
