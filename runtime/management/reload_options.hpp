// How a plugin is reloaded, beside what is reloaded. A plain value.
#pragma once

namespace triggerd::management {

struct PluginReloadOptions {
  // Also if the file is what is in service; and pending messages of the old generation are given to
  // the new one, instead of the reload being given up.
  bool force = false;
  // The new generation begins without what the old one saved: for a service whose state is what is
  // wrong with it. Also if the file is what is in service.
  bool drop_state = false;

  bool even_unchanged() const { return force || drop_state; }
};

}  // namespace triggerd::management
