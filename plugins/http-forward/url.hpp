// A URL in its parts, as libcurl reads it. Never touches the network.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>
#include <string_view>
#include <trigger/cpp/settings.hpp>

namespace http_forward {

class Url {
 public:
  explicit Url(const std::string& text) : url_(curl_url(), &curl_url_cleanup) {
    if (url_ && curl_url_set(url_.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) url_.reset();
  }

  // False: the text is not a URL.
  explicit operator bool() const { return url_ != nullptr; }

  // Empty if it has none; a port is then that of the scheme.
  std::string part(CURLUPart part) const {
    char* text = nullptr;
    if (!url_ || curl_url_get(url_.get(), part, &text, CURLU_DEFAULT_PORT) != CURLUE_OK) return {};
    const std::unique_ptr<char, decltype(&curl_free)> owner(text, &curl_free);
    return text;
  }

  bool has_origin_of(const Url& other) const {
    return url_ && other.url_ && part(CURLUPART_SCHEME) == other.part(CURLUPART_SCHEME) &&
           part(CURLUPART_HOST) == other.part(CURLUPART_HOST) &&
           part(CURLUPART_PORT) == other.part(CURLUPART_PORT);
  }

 private:
  std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> url_;
};

// `text`. Throws trigger::SettingError about `key` if it is not a URL that a request can have.
inline std::string checked_url(std::string_view key, std::string text) {
  const Url url(text);
  if (!url) throw trigger::SettingError(key, "must be a URL such as http://127.0.0.1:8080/events");
  const std::string scheme = url.part(CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") {
    throw trigger::SettingError(key, "must begin with http:// or https://");
  }
  if (!url.part(CURLUPART_USER).empty() || !url.part(CURLUPART_PASSWORD).empty()) {
    throw trigger::SettingError(key, "must not contain a login; send it as headers.Authorization");
  }
  if (!url.part(CURLUPART_FRAGMENT).empty()) {
    throw trigger::SettingError(key,
                                "must not contain a #: what follows it is never sent to a server");
  }
  return text;
}

inline void append_percent(std::string& out, char c) {
  constexpr const char* hex = "0123456789ABCDEF";
  const auto byte = static_cast<unsigned char>(c);
  out += {'%', hex[byte >> 4], hex[byte & 0xF]};
}

}  // namespace http_forward
