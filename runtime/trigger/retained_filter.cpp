#include "trigger/retained_filter.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>

namespace triggerd::trigger {
namespace {

std::string sha256(std::span<const std::uint8_t> bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
    return {};
  }
  std::string hex;
  for (unsigned i = 0; i < size; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

}  // namespace

void RetainedFilter::load(const std::vector<Handled>& handled) {
  MutexLock lock(mutex_);
  for (const auto& [topic, digest] : handled) last_[topic] = digest;
}

bool RetainedFilter::takes(std::string_view topic, std::span<const std::uint8_t> payload) {
  if (rule_ == config::Retained::process) return true;
  if (rule_ == config::Retained::skip) return false;
  std::string digest = sha256(payload);
  MutexLock lock(mutex_);
  std::string& last = last_[std::string(topic)];
  if (last == digest) return false;
  last = std::move(digest);
  return true;
}

void RetainedFilter::handled(std::string_view topic, std::span<const std::uint8_t> payload) {
  if (remembers()) remember_(topic, sha256(payload));
}

}  // namespace triggerd::trigger
