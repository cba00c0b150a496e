#include "mqtt/tls/rotation.hpp"

#include <algorithm>

#include "base/file.hpp"
#include "config/config.hpp"

namespace triggerd::mqtt::tls {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::hours kReportAgain{24};

}  // namespace

std::string fingerprint_of(const std::vector<fs::path>& files) {
  std::string all;
  for (const fs::path& file : files) {
    all += fingerprint_of_file(file) + "\n";
    std::error_code error;
    if (!fs::is_directory(file, error)) continue;
    std::vector<fs::path> inside;
    for (fs::directory_iterator entry(file, error), end; !error && entry != end;
         entry.increment(error)) {
      inside.push_back(entry->path());
    }
    std::sort(inside.begin(), inside.end());
    for (const fs::path& path : inside) all += fingerprint_of_file(path) + "\n";
  }
  return all;
}

Rotation::Rotation(const config::Config& config, const Stores& stores, const Clock& clock, Log& log)
    : config_(config), stores_(stores), clock_(clock), log_(log) {
  for (const config::Alias& alias : config.aliases) {
    auto current = stores.of(alias.name);
    if (!current) continue;
    Watched watched{&alias, std::move(current), {}, {}, {}};
    const config::Truststore& truststore = *config.find_truststore(alias.truststore);
    if (!truststore.system) watched.files.push_back(truststore.file);
    if (const config::Keystore* keystore = config.find_keystore(alias.keystore)) {
      for (const fs::path* file : {&keystore->file, &keystore->certificate, &keystore->private_key,
                                   &keystore->password_file}) {
        if (!file->empty()) watched.files.push_back(*file);
      }
    }
    watched_.push_back(std::move(watched));
  }
}

void Rotation::report_ages() {
  told_ = clock_.now();
  for (const Remark& remark : stores_.remarks(clock_.wall())) {
    log_.log(remark.level, "tls.certificate", {}, "{}", remark.text);
  }
}

void Rotation::look() {
  for (Watched& watched : watched_) look_at(watched);
  const Monotonic now = clock_.now();
  if (now - told_ < kReportAgain) return;
  told_ = now;
  for (const Remark& remark : stores_.remarks(clock_.wall())) {
    if (remark.level == LogLevel::warn) log_.warn("tls.certificate", {}, "{}", remark.text);
  }
}

void Rotation::look_at(Watched& watched) {
  std::string seen = fingerprint_of(watched.files);
  const bool settled = seen == watched.seen;
  watched.seen = std::move(seen);
  if (settled && watched.seen != watched.taken) take(watched);
}

void Rotation::take(Watched& watched) {
  watched.taken = watched.seen;
  const std::string& name = watched.alias->name;
  auto material = load_material(config_, *watched.alias);
  if (!material) {
    log_.warn("tls.rotation_refused", {{"alias", name}},
              "cannot use the changed files, so the previous certificates stay in use: {}",
              material.error().message);
    return;
  }
  if ((*material)->digest() == watched.current->get()->digest()) return;
  log_.info("tls.rotated", {{"alias", name}}, "new certificates are in use: reconnecting");
  for (const Remark& remark : (*material)->remarks(clock_.wall())) {
    log_.log(remark.level, "tls.certificate", {{"alias", name}}, "{}", remark.text);
  }
  watched.current->set(*std::move(material));
}

}  // namespace triggerd::mqtt::tls
