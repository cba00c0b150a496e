// Watches the files behind the TLS material, and makes new material when they change.
//
// Files are replaced one after another, and some are written slowly, so a change is taken once two
// looks in a row have seen the same. If the new files are no good, the old material stays, and the
// reason is logged once.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "config/config_fwd.hpp"
#include "mqtt/tls/stores.hpp"

namespace triggerd::mqtt::tls {

// Which files these are and when they were written, without reading them; for a folder, the files
// in it too.
std::string fingerprint_of(const std::vector<std::filesystem::path>& files);

// Used by one thread. What it is given outlives it.
class Rotation {
 public:
  static constexpr Millis kInterval{2'000};  // how often to look

  Rotation(const config::Config& config, const Stores& stores, const Clock& clock, Log& log);

  bool empty() const { return watched_.empty(); }
  // Logs when our certificates expire. Once, before the first look().
  void report_ages();
  // Reads files only if they have changed. Once a day it warns of certificates that expire soon.
  void look();

 private:
  struct Watched {
    const config::Alias* alias;
    std::shared_ptr<Current> current;
    std::vector<std::filesystem::path> files;
    // What the files looked like when they were read, and at the last look. Empty at first, so that
    // they are read once more: they may have changed since the start read them.
    std::string taken;
    std::string seen;
  };

  void look_at(Watched& watched);
  void take(Watched& watched);

  const config::Config& config_;
  const Stores& stores_;
  const Clock& clock_;
  Log& log_;
  std::vector<Watched> watched_;
  Monotonic told_{};
};

}  // namespace triggerd::mqtt::tls
