/* trigger/plugin.h alone is enough for C, and its layout is what layout_v1.h says. */
#include "layout_asserts.h"

const trigger_plugin* trigger_plugin_entry_v1(const trigger_host* host) {
  (void)host;
  return NULL;
}
