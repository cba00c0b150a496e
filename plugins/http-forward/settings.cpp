#include "settings.hpp"

#include <curl/curl.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "common/settings.hpp"
#include "url.hpp"

namespace http_forward {
namespace {

using plugin_common::choice;
using plugin_common::integer_between;
using plugin_common::readable_file;
using plugin_common::seconds;
using trigger::SettingError;

constexpr const char* only_trigger =
    "may use only the placeholder {trigger}: with mode = \"batch\" a request carries many messages";

// Printable ASCII, so that it can be put into a header as it is.
void require_printable(std::string_view key, std::string_view text, bool spaces) {
  for (const char c : text) {
    if (c > 0x20 && c < 0x7F) continue;
    if (c == ' ' && spaces) continue;
    throw SettingError(
        key, spaces ? "must be printable ASCII" : "must be printable ASCII without spaces");
  }
}

std::string text_for_header(const trigger::Settings& settings, std::string_view key,
                            std::string absent, bool spaces) {
  std::string text = settings.text(key, std::move(absent));
  if (text.empty()) throw SettingError(key, "must not be empty");
  require_printable(key, text, spaces);
  return text;
}

// As it is, or with placeholders; braces that are doubled are one.
void read_url(const trigger::Settings& settings, Settings& out) {
  const std::string text = settings.text("url");
  if (UrlTemplate::has_placeholders("url", text)) {
    out.url = text;
    out.url_template.emplace("url", text);
  } else {
    const bool braces = text.find_first_of("{}") != std::string::npos;
    out.url =
        checked_url("url", braces ? plugin_common::MessageTemplate("url", text).literals() : text);
  }
}

std::string socket_path(const trigger::Settings& settings) {
  std::string path = settings.text("unix_socket", "");
  if (!settings.has("unix_socket")) return path;
  if (path.substr(0, 1) != "/") {
    throw SettingError("unix_socket", "must be an absolute path");
  }
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    throw SettingError("unix_socket", "must have at most 107 bytes");
  }
  return path;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// A token of RFC 9110, section 5.6.2.
bool is_header_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

void check_header_name(std::string_view key, std::string_view name, Mode mode) {
  // Headers that frame a request, or belong to one connection, are up to libcurl.
  constexpr std::array<std::string_view, 9> reserved{"connection", "content-length",    "expect",
                                                     "keep-alive", "proxy-connection",  "te",
                                                     "trailer",    "transfer-encoding", "upgrade"};
  if (!is_header_name(name)) throw SettingError(key, "is not a valid header name");
  const std::string wanted = lower(name);
  if (std::find(reserved.begin(), reserved.end(), wanted) != reserved.end()) {
    throw SettingError(key, "must not be set: it follows from the request");
  }
  if (wanted == "content-type") {
    throw SettingError(key, "must not be set here; see content_type");
  }
  if (mode == Mode::binary && wanted.substr(0, 3) == "ce-") {
    throw SettingError(key, "must not be set: mode = \"binary\" writes the ce- headers");
  }
}

std::vector<Header> read_headers(const trigger::Settings& settings, Mode mode) {
  constexpr std::string_view prefix = "headers.";
  std::vector<Header> headers;
  for (const trigger::Setting& leaf : settings.leaves()) {
    if (std::string_view(leaf.key).substr(0, prefix.size()) != prefix) continue;
    const std::string name = leaf.key.substr(prefix.size());
    check_header_name(leaf.key, name, mode);
    for (const Header& other : headers) {
      if (lower(other.name) == lower(name)) throw SettingError(leaf.key, "appears twice");
    }
    Header header{name, {leaf.key, settings.text(leaf.key)}};
    require_printable(leaf.key, header.value.literals(), true);
    if (mode == Mode::batch && !header.value.is_the_same_for_all()) {
      throw SettingError(leaf.key, only_trigger);
    }
    headers.push_back(std::move(header));
  }
  if (headers.empty() && settings.has("headers")) {
    throw SettingError("headers", "must be a table: NAME = \"value\"");
  }
  return headers;
}

std::map<int, Meaning> read_status(const trigger::Settings& settings) {
  constexpr std::string_view prefix = "status.";
  constexpr std::array<std::pair<std::string_view, Meaning>, 4> meanings{
      {{"ok", Meaning::ok},
       {"retry", Meaning::retry},
       {"unavailable", Meaning::unavailable},
       {"reject", Meaning::reject}}};
  std::map<int, Meaning> status;
  for (const trigger::Setting& leaf : settings.leaves()) {
    const std::string_view key = leaf.key;
    if (key.substr(0, prefix.size()) != prefix) continue;
    const std::string_view digits = key.substr(prefix.size());
    int code = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code);
    if (error != std::errc() || end != digits.data() + digits.size() || code < 200 || code > 599) {
      throw SettingError(key, "is not a status: NNN in status.NNN must be from 200 to 599");
    }
    status[code] = choice(settings, key, "", meanings,
                          "must be \"ok\", \"retry\", \"unavailable\" or \"reject\"");
  }
  if (status.empty() && settings.has("status")) {
    throw SettingError("status",
                       "must be a table: NNN = \"ok\", \"retry\", \"unavailable\" or \"reject\"");
  }
  return status;
}

std::optional<Reply> read_reply(const trigger::Settings& settings, Mode mode) {
  if (!settings.has("reply_topic")) {
    for (const char* key : {"reply_alias", "reply_qos", "reply_retain"}) {
      if (settings.has(key)) throw SettingError(key, "needs reply_topic");
    }
    return std::nullopt;
  }
  if (mode == Mode::batch) {
    throw SettingError(
        "reply_topic",
        "cannot be combined with mode = \"batch\", which has one answer for many messages");
  }
  Reply reply{{"reply_topic", settings.text("reply_topic")},
              settings.text("reply_alias", ""),
              plugin_common::qos_setting(settings, "reply_qos", 1),
              settings.boolean("reply_retain", false)};
  if (reply.topic.literals().find_first_of("+#") != std::string::npos) {
    throw SettingError("reply_topic", "must not contain + or #, which are only for filters");
  }
  return reply;
}

void read_tls(const trigger::Settings& settings, Settings& out) {
  for (const char* key : {"ca_file", "cert_file", "key_file"}) {
    if (settings.has(key) && !out.tls) throw SettingError(key, "needs an https:// url");
  }
  out.ca_file = readable_file(settings, "ca_file");
  out.cert_file = readable_file(settings, "cert_file");
  out.key_file = readable_file(settings, "key_file");
  if (out.cert_file.empty() != out.key_file.empty()) {
    throw out.key_file.empty() ? SettingError("cert_file", "needs key_file")
                               : SettingError("key_file", "needs cert_file");
  }
}

}  // namespace

Settings read_settings(const trigger::Context& context) {
  constexpr std::array<std::pair<std::string_view, Mode>, 4> modes{
      {{"plain", Mode::plain},
       {"binary", Mode::binary},
       {"structured", Mode::structured},
       {"batch", Mode::batch}}};
  constexpr std::array<std::pair<std::string_view, const char*>, 3> methods{
      {{"POST", "POST"}, {"PUT", "PUT"}, {"PATCH", "PATCH"}}};
  constexpr std::array<std::pair<std::string_view, bool>, 2> versions{
      {{"1.1", false}, {"2", true}}};

  const trigger::Settings& settings = context.settings();
  settings.require_known({"url",
                          "unix_socket",
                          "method",
                          "mode",
                          "http_version",
                          "content_type",
                          "source",
                          "type",
                          "headers",
                          "timeout_seconds",
                          "connect_timeout_seconds",
                          "max_retry_after_seconds",
                          "max_response_bytes",
                          "follow_redirects",
                          "status",
                          "batch_messages",
                          "batch_bytes",
                          "ca_file",
                          "cert_file",
                          "key_file",
                          "reply_topic",
                          "reply_alias",
                          "reply_qos",
                          "reply_retain",
                          "probe_url"});

  Settings out;
  read_url(settings, out);
  if (settings.has("probe_url")) {
    out.probe_url = checked_url("probe_url", settings.text("probe_url"));
  }
  out.tls = Url(out.server_url()).part(CURLUPART_SCHEME) == "https";
  out.unix_socket = socket_path(settings);
  out.method =
      choice(settings, "method", "POST", methods, "must be \"POST\", \"PUT\" or \"PATCH\"");
  out.mode = choice(settings, "mode", "binary", modes,
                    "must be \"plain\", \"binary\", \"structured\" or \"batch\"");
  if (out.mode == Mode::batch && out.url_template && !out.url_template->is_the_same_for_all()) {
    throw SettingError("url", only_trigger);
  }
  out.http2 = choice(settings, "http_version", "1.1", versions, "must be \"1.1\" or \"2\"");

  out.content_type = text_for_header(settings, "content_type", "application/octet-stream", true);
  out.source = text_for_header(settings, "source", "/mqtt/" + context.alias(), false);
  out.type = text_for_header(settings, "type", "mqtt.message", false);
  out.headers = read_headers(settings, out.mode);

  if (settings.has("timeout_seconds")) out.timeout = seconds(settings, "timeout_seconds", 1);
  out.connect_timeout = seconds(settings, "connect_timeout_seconds", 5);
  out.max_retry_after =
      std::chrono::seconds(integer_between(settings, "max_retry_after_seconds", 3600, 1, 604'800));
  out.max_response = static_cast<std::size_t>(
      integer_between(settings, "max_response_bytes", 65'536, 0, std::int64_t{256} << 20));
  out.follow_redirects = static_cast<int>(integer_between(settings, "follow_redirects", 0, 0, 10));
  out.status = read_status(settings);

  for (const char* key : {"batch_messages", "batch_bytes"}) {
    if (settings.has(key) && out.mode != Mode::batch) {
      throw SettingError(key, "needs mode = \"batch\"");
    }
  }
  out.batch_messages =
      static_cast<std::size_t>(integer_between(settings, "batch_messages", 100, 1, 10'000));
  out.batch_bytes = static_cast<std::size_t>(
      integer_between(settings, "batch_bytes", 1 << 20, 1, std::int64_t{256} << 20));

  read_tls(settings, out);
  out.reply = read_reply(settings, out.mode);
  return out;
}

}  // namespace http_forward
