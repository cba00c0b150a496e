#include "request.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/base64.hpp"
#include "common/utf8.hpp"
#include "url.hpp"

namespace http_forward {
namespace {

using plugin_common::content_type_property;
using plugin_common::is_utf8;
using plugin_common::property_of;

// As defined by the HTTP binding of CloudEvents, section 3.1.3.2.
void append_attribute(std::string& out, std::string_view value) {
  for (const char c : value) {
    if (c > 0x20 && c < 0x7F && c != '"' && c != '%') {
      out += c;
    } else {
      append_percent(out, c);
    }
  }
}

// Encodes what a message puts into a header of the settings: a percent sign too, so that the
// application can decode it, and spaces at either end, which are not part of a header's value.
void append_header_value(std::string& out, std::string_view value) {
  const std::size_t first = value.find_first_not_of(' ');
  const std::size_t last = value.find_last_not_of(' ');
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    const bool at_an_end = first == std::string_view::npos || i < first || i > last;
    if (c >= 0x20 && c < 0x7F && c != '%' && !(c == ' ' && at_an_end)) {
      out += c;
    } else {
      append_percent(out, c);
    }
  }
}

// The message's own, if it is allowed in a header.
std::string content_type_of(const Settings& settings, const trigger::Message& message) {
  const auto own = property_of(message, content_type_property);
  if (!own || own->empty() || own->size() > 255) return settings.content_type;
  for (const char c : *own) {
    if (c < 0x20 || c >= 0x7F) return settings.content_type;
  }
  return std::string(*own);
}

// RFC 3339, in UTC.
std::string time_of(const trigger::Message& message) {
  const auto since_epoch = message.received().time_since_epoch();
  const auto ms = std::chrono::floor<std::chrono::milliseconds>(since_epoch);
  const auto whole = std::chrono::floor<std::chrono::seconds>(ms);
  const std::time_t seconds = whole.count();
  std::tm parts{};
  std::array<char, 32> date{};
  std::array<char, 48> out{};
  if (::gmtime_r(&seconds, &parts) == nullptr) return "1970-01-01T00:00:00.000Z";
  std::strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(out.data(), out.size(), "%s.%03dZ", date.data(),
                static_cast<int>((ms - whole).count()));
  return out.data();
}

void append_json_string(std::string& out, std::string_view text) {
  constexpr const char* hex = "0123456789abcdef";
  out += '"';
  while (!text.empty()) {
    const auto byte = static_cast<unsigned char>(text.front());
    const std::size_t length = trigger::detail::utf8_sequence(text);
    if (length == 0) {
      out += "\xEF\xBF\xBD";  // the replacement character
    } else if (byte == '"' || byte == '\\') {
      out += {'\\', text.front()};
    } else if (byte < 0x20 || byte == 0x7F) {
      out += {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 0xF]};
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out += '"';
}

// Exactly one JSON value. The parser takes a NUL for the end of its input and skips a byte order
// mark, and neither may get into an event.
bool is_json(std::string_view text) {
  return text.find('\0') == std::string_view::npos && text.substr(0, 3) != "\xEF\xBB\xBF" &&
         nlohmann::json::accept(text.begin(), text.end());
}

// The media type in lower case, without parameters.
std::string media_type(std::string_view content_type) {
  std::string out;
  for (const char c : content_type.substr(0, content_type.find(';'))) {
    if (c == ' ') continue;
    out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return out;
}

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

// JSON stays JSON and text stays text, as their content types promise; everything else, and
// whatever breaks the promise, becomes base64.
void append_data(std::string& out, std::string_view content_type, std::string_view payload) {
  if (payload.empty()) return;
  const std::string type = media_type(content_type);
  const bool says_json =
      type == "application/json" || type == "text/json" || ends_with(type, "+json");
  if (says_json && is_json(payload)) {
    out += ",\"data\":";
    out += payload;
  } else if (!says_json && type.substr(0, 5) == "text/" && is_utf8(payload)) {
    out += ",\"data\":";
    append_json_string(out, payload);
  } else {
    out += ",\"data_base64\":\"" + triggerd::base64(payload) + '"';
  }
}

void add_binary_attributes(const Settings& settings, const trigger::Message& message,
                           std::vector<std::string>& headers) {
  const auto add = [&headers](const char* name, std::string_view value) {
    std::string line = std::string("ce-") + name + ": ";
    append_attribute(line, value);
    headers.push_back(std::move(line));
  };
  add("specversion", "1.0");
  add("id", message.id());
  add("source", settings.source);
  add("type", settings.type);
  add("subject", message.topic());
  add("time", time_of(message));
  add("mqttqos", std::to_string(message.qos()));
  if (message.retained()) add("mqttretained", "true");
}

// A header whose placeholders the message cannot fill is left out, as is one that would be empty.
void add_own_headers(const Settings& settings, const trigger::Message& message,
                     std::vector<std::string>& headers) {
  for (const Header& header : settings.headers) {
    const auto value = header.value.expand(message, &append_header_value).text;
    if (value && value->find_first_not_of(' ') != std::string::npos) {
      headers.push_back(header.name + ": " + *value);
    }
  }
}

}  // namespace

plugin_common::MessageTemplate::Text url_for(const Settings& settings,
                                             const trigger::Message& message) {
  if (settings.url_template) return settings.url_template->expand(message);
  return {settings.url, {}, false};
}

std::string json_event(const Settings& settings, const trigger::Message& message) {
  const std::string content_type = content_type_of(settings, message);
  std::string out = "{\"specversion\":\"1.0\"";
  const auto add = [&out](const char* name, std::string_view value) {
    out += std::string(",\"") + name + "\":";
    append_json_string(out, value);
  };
  add("id", message.id());
  add("source", settings.source);
  add("type", settings.type);
  add("subject", message.topic());
  add("time", time_of(message));
  out += ",\"mqttqos\":" + std::to_string(message.qos());
  if (message.retained()) out += ",\"mqttretained\":true";
  if (!message.payload().empty()) add("datacontenttype", content_type);
  append_data(out, content_type, message.payload());
  out += '}';
  return out;
}

Content make_content(const Settings& settings, const trigger::Message& message) {
  Content content;
  if (settings.mode == Mode::structured) {
    content.own_body = json_event(settings, message);
    content.headers.emplace_back("Content-Type: application/cloudevents+json");
  } else {
    content.borrowed_body = message.payload();
    content.borrows = true;
    content.headers.push_back("Content-Type: " + content_type_of(settings, message));
    if (settings.mode == Mode::binary) add_binary_attributes(settings, message, content.headers);
  }
  add_own_headers(settings, message, content.headers);
  return content;
}

Content make_batch_content(const Settings& settings, const trigger::Message& any_message,
                           const std::vector<std::string_view>& events) {
  Content content;
  content.own_body = "[";
  for (const std::string_view event : events) {
    if (content.own_body.size() > 1) content.own_body += ',';
    content.own_body += event;
  }
  content.own_body += ']';
  content.headers.emplace_back("Content-Type: application/cloudevents-batch+json");
  add_own_headers(settings, any_message, content.headers);
  content.url = url_for(settings, any_message).text.value_or("");
  return content;
}

}  // namespace http_forward
