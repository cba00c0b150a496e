#include "dispatch/message_key.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "config/order.hpp"
#include "dispatch/json_key.hpp"
#include "mqtt/packet/properties.hpp"

namespace triggerd::dispatch {
namespace {

// A SHA-256 of several parts, each with its size before it, so that no two lists of them are alike.
// Nothing weaker: whoever finds two messages with the same key can have one of them dropped.
class Digest {
 public:
  Digest() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    good_ = context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1;
  }
  void add(std::string_view part) {
    const std::uint64_t size = part.size();
    add(&size, sizeof size);
    add(part.data(), part.size());
  }
  std::optional<inbox::MessageKey> first_half() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> whole{};
    if (!good_ || EVP_DigestFinal_ex(context_.get(), whole.data(), nullptr) != 1) {
      return std::nullopt;
    }
    inbox::MessageKey key;
    std::copy_n(whole.begin(), key.size(), key.begin());
    return key;
  }

 private:
  void add(const void* bytes, std::size_t size) {
    good_ = good_ && EVP_DigestUpdate(context_.get(), bytes, size) == 1;
  }

  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
  bool good_ = false;
};

}  // namespace

std::optional<std::string> message_key_text(const config::Deduplicate& rule,
                                            const mqtt::Message& message) {
  using By = config::Deduplicate::By;
  switch (rule.by) {
    case By::property: {
      auto value = mqtt::user_property(message.properties, rule.pointer);
      return value && value->empty() ? std::nullopt : value;
    }
    case By::json: {
      auto value = json_key(rule.pointer, message.payload);
      return value && value->is_id ? std::optional(std::move(value->text)) : std::nullopt;
    }
    case By::payload:
      break;
  }
  return "";
}

std::optional<inbox::MessageKey> message_key(const config::Deduplicate& rule,
                                             const mqtt::Message& message) {
  const auto text = message_key_text(rule, message);
  if (!text) return std::nullopt;
  const bool whole = rule.by == config::Deduplicate::By::payload;
  Digest digest;
  digest.add(config::to_string(rule));
  digest.add(rule.topic ? "topic" : "");
  digest.add(rule.topic ? message.topic : std::string_view());
  digest.add(whole ? std::string_view(reinterpret_cast<const char*>(message.payload.data()),
                                      message.payload.size())
                   : std::string_view(*text));
  return digest.first_half();
}

}  // namespace triggerd::dispatch
