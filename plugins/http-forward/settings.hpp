// [triggers.settings] of http-forward, read and checked.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <trigger/plugin.hpp>
#include <vector>

#include "common/message_template.hpp"
#include "url_template.hpp"

namespace http_forward {

// What a request carries.
enum class Mode {
  plain,       // the payload
  binary,      // the payload, and CloudEvents attributes in headers
  structured,  // one CloudEvent as JSON
  batch        // a JSON array of them
};

// What an answer means, for statuses that the settings name.
enum class Meaning { ok, retry, unavailable, reject };

struct Header {
  std::string name;
  plugin_common::MessageTemplate value;
};

struct Reply {
  plugin_common::MessageTemplate topic;
  std::string alias;  // empty: the trigger's own
  int qos;
  bool retain;
};

struct Settings {
  std::string url;                          // where requests go; with placeholders for people alone
  std::optional<UrlTemplate> url_template;  // if it has some
  std::string probe_url;                    // empty: none
  std::string unix_socket;                  // empty: none
  std::string method;
  Mode mode = Mode::binary;
  bool http2 = false;
  bool tls = false;  // the url begins with https

  std::string content_type;  // for messages that do not have one
  std::string source;
  std::string type;
  std::vector<Header> headers;

  std::optional<std::chrono::milliseconds> timeout;  // for one request; the deadline counts too
  std::chrono::milliseconds connect_timeout{};
  std::chrono::seconds max_retry_after{};
  std::size_t max_response = 0;
  int follow_redirects = 0;
  std::map<int, Meaning> status;

  std::size_t batch_messages = 0;
  std::size_t batch_bytes = 0;

  std::string ca_file;    // empty: the system's
  std::string cert_file;  // empty: none
  std::string key_file;

  std::optional<Reply> reply;

  // A URL of the server that requests go to, without placeholders.
  const std::string& server_url() const { return url_template ? url_template->beginning() : url; }
};

// Throws trigger::SettingError. Checks files, but never uses the network.
Settings read_settings(const trigger::Context& context);

}  // namespace http_forward
