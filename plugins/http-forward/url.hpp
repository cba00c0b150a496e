// A URL in its parts, as libcurl reads it. Never touches the network.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>

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

}  // namespace http_forward
