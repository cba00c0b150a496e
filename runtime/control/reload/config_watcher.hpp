// With hot_reload, the files of the configuration are watched.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "control/running/control_thread.hpp"

namespace triggerd::control {

// Which files make up a configuration, and when each was written: `config_file`, the conf.d beside
// it, the packages in `packages_dir`, and `others`, which these name. Two equal fingerprints mean
// the same files. Empty if there is no file.
std::string fingerprint(const std::filesystem::path& config_file,
                        const std::filesystem::path& packages_dir,
                        const std::vector<std::filesystem::path>& others = {});

// Looks at the files twice a second, and reports a change once two looks in a row have seen the
// same: a file that is being written is not read before it is complete. [control; main while
// nothing runs]
class ConfigWatcher {
 public:
  static constexpr Millis kInterval{500};

  // `look` returns the fingerprint of the files as they are; `changed` reads them. `control`
  // outlives it.
  ConfigWatcher(ControlThread& control, std::function<std::string()> look,
                std::function<void()> changed)
      : control_(control), look_(std::move(look)), changed_(std::move(changed)) {}

  void start();
  // The files are being read as they are now: from here on a difference from that is a change.
  void note_read() { read_ = look_(); }

 private:
  void look_later();

  ControlThread& control_;
  const std::function<std::string()> look_;
  const std::function<void()> changed_;
  std::string read_;  // what they looked like when they were read
  std::string seen_;  // and at the last look
};

}  // namespace triggerd::control
