// Looks whether the files behind the TLS material have changed, and takes good new ones.
//
// Files are replaced one after another, and some are written slowly: a change is taken once two
// looks in a row have seen the same. New files that are not good change nothing: the old material
// stays, and the reason is logged once.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "config/config.hpp"
#include "mqtt/tls/stores.hpp"

namespace triggerd::mqtt::tls {

// Which files they are and when they were written, without reading them; of a folder, with those in
// it.
std::string look_of(const std::vector<std::filesystem::path>& files);

// Used from one thread. Outlived by what it is given.
class Rotation {
 public:
  static constexpr Millis kInterval{2'000};  // how often to look

  Rotation(const config::Config& config, const Stores& stores, const Clock& clock, Log& log);

  bool empty() const { return watched_.empty(); }
  // Once, before the first look(): when our certificates end.
  void tell_ages();
  // Reads files only where they have changed. Once a day, tells of certificates that end soon.
  void look();

 private:
  struct Watched {
    const config::Alias* alias;
    std::shared_ptr<Current> current;
    std::vector<std::filesystem::path> files;
    // What the files looked like when they were read, and at the last look. Empty at first, as they
    // may have changed since the start read them: they are read once more.
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
