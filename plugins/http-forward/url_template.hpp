// The url of http-forward with placeholders in its path and query:
// "http://127.0.0.1:8080/devices/{json:/id}?unit={property:unit}".
#pragma once

#include <string>
#include <string_view>
#include <trigger/cpp/message.hpp>

#include "common/message_template.hpp"

namespace http_forward {

// Which server, and which segments the path has, is up to the settings: a message fills segments
// and parts of the query, and can neither end one nor leave it out. Constant after construction;
// any thread.
class UrlTemplate {
 public:
  // Whether `text` has placeholders. Throws trigger::SettingError about `key` if it is not a valid
  // template.
  static bool has_placeholders(std::string_view key, std::string_view text);

  // Throws trigger::SettingError about `key` if `text` is not a URL of this kind.
  UrlTemplate(std::string_view key, const std::string& text);

  // The URL for a message, or why there is none.
  plugin_common::MessageTemplate::Text expand(const trigger::Message& message) const;

  bool is_the_same_for_all() const { return template_.is_the_same_for_all(); }

  // The same server, and as much of the path as is there before the first placeholder.
  const std::string& beginning() const { return beginning_; }

 private:
  plugin_common::MessageTemplate template_;
  std::string beginning_;
  bool ends_with_slash_ = false;  // the path
};

}  // namespace http_forward
