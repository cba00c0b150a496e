#include "mqtt/tls/truststore.hpp"

#include <openssl/x509.h>

#include <algorithm>
#include <filesystem>

#include "base/file.hpp"
#include "config/tls_stores.hpp"

namespace triggerd::mqtt::tls {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFile = std::size_t{8} << 20;
constexpr std::size_t kMaxFiles = 10'000;

Result<std::vector<fs::path>> files_of(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return std::vector{path};
  std::vector<fs::path> files;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end;
       entry.increment(error)) {
    const bool hidden = entry->path().filename().string().starts_with('.');
    std::error_code gone;
    if (!hidden && entry->is_regular_file(gone)) files.push_back(entry->path());
    if (files.size() > kMaxFiles) return fail("{} has over {} files", path.string(), kMaxFiles);
  }
  if (error) return fail("cannot list {}: {}", path.string(), error.message());
  std::sort(files.begin(), files.end());
  return files;
}

// `certificates` has each once: the hashed names of a folder are links to the others.
void add(X509Ptr certificate, Truststore& truststore) {
  const auto& all = truststore.certificates;
  if (std::any_of(all.begin(), all.end(), [&](const X509Ptr& other) {
        return X509_cmp(other.get(), certificate.get()) == 0;
      })) {
    return;
  }
  truststore.pem += to_pem(certificate.get());
  truststore.certificates.push_back(std::move(certificate));
}

}  // namespace

Result<Truststore> load_truststore(const config::Truststore& section) {
  Truststore truststore;
  truststore.system = section.system;
  if (section.system) return truststore;
  const auto files = files_of(section.file);
  if (!files) return tl::make_unexpected(files.error());
  for (const fs::path& file : *files) {
    const auto text = read_file(file, kMaxFile);
    if (!text) return fail("{}; name a PEM file or a folder of them", text.error().message);
    auto certificates = parse_certificates(*text);
    if (!certificates) return fail("{}: {}", file.string(), certificates.error().message);
    for (X509Ptr& certificate : *certificates) add(std::move(certificate), truststore);
  }
  if (truststore.certificates.empty()) {
    return fail("{} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)",
                section.file.string());
  }
  return truststore;
}

}  // namespace triggerd::mqtt::tls
