#include "transfer.hpp"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <utility>

#include "url.hpp"

namespace http_forward {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t max_header_bytes = std::size_t{64} << 10;  // of one answer

// libcurl fails to set an option if it has no memory, or was built without the feature; then the
// request must not be sent without it.
template <class Value>
void set(CURL* easy, CURLoption option, Value value) {
  const CURLcode code = curl_easy_setopt(easy, option, value);
  if (code != CURLE_OK) {
    throw std::runtime_error(std::string("libcurl refuses an option: ") + curl_easy_strerror(code));
  }
}

bool begins_with(std::string_view text, std::string_view lower_case) {
  if (text.size() < lower_case.size()) return false;
  return std::equal(lower_case.begin(), lower_case.end(), text.begin(), [](char want, char c) {
    return want == (c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  });
}

}  // namespace

Transfer::Transfer(const Settings& settings, Sockets& sockets)
    : settings_(settings), sockets_(sockets), easy_(curl_easy_init(), &curl_easy_cleanup) {
  if (!easy_) throw std::runtime_error("libcurl has no memory for a request");
}

bool Transfer::roles_differ(const Settings& settings) {
  const unsigned version = curl_version_info(CURLVERSION_NOW)->version_num;
  return settings.http2 && !settings.tls && version >= 0x075800 && version < 0x080000;
}

bool Transfer::begin(std::unique_ptr<Exchange> exchange, Role role) {
  exchange_ = std::move(exchange);
  role_ = role;
  try {
    set_up_connection();
    set_up_version();
    set_up_request();
  } catch (const std::exception& error) {
    fail(error.what());
    return false;
  }
  if (set_time_limit()) return true;
  fail("its time was up before the request could be sent");
  return false;
}

const std::string& Transfer::url() const {
  if (exchange_->kind == Exchange::Kind::forward) return exchange_->content.url;
  return settings_.probe_url.empty() ? settings_.server_url() : settings_.probe_url;
}

void Transfer::set_up_connection() {
  CURL* const easy = easy_.get();
  set(easy, CURLOPT_NOSIGNAL, 1L);
  set(easy, CURLOPT_ERRORBUFFER, error_.data());
  set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  set(easy, CURLOPT_PROXY, "");  // not even from the environment: the application is nearby
  set(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(settings_.connect_timeout.count()));
  set(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  set(easy, CURLOPT_OPENSOCKETFUNCTION, &Sockets::open);
  set(easy, CURLOPT_OPENSOCKETDATA, &sockets_);
  set(easy, CURLOPT_CLOSESOCKETFUNCTION, &Sockets::close);
  set(easy, CURLOPT_CLOSESOCKETDATA, &sockets_);
  if (!settings_.unix_socket.empty()) {
    set(easy, CURLOPT_UNIX_SOCKET_PATH, settings_.unix_socket.c_str());
  }

  set(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  set(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  set(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!settings_.ca_file.empty()) {
    set(easy, CURLOPT_CAINFO, settings_.ca_file.c_str());
    set(easy, CURLOPT_CAPATH, nullptr);  // only these
  }
  if (!settings_.cert_file.empty()) {
    set(easy, CURLOPT_SSLCERT, settings_.cert_file.c_str());
    set(easy, CURLOPT_SSLKEY, settings_.key_file.c_str());
  }
}

void Transfer::set_up_version() {
  CURL* const easy = easy_.get();
  const bool tls = begins_with(url(), "https:");
  long version = CURL_HTTP_VERSION_1_1;
  if (settings_.http2) {
    const bool by_agreement = tls || role_ == Role::shares;
    version = by_agreement ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
    set(easy, CURLOPT_PIPEWAIT, 1L);  // rather share a connection than open one
  }
  set(easy, CURLOPT_HTTP_VERSION, version);
  if (role_ == Role::opens) set(easy, CURLOPT_FRESH_CONNECT, 1L);
  if (role_ == Role::shares) {
    set(easy, CURLOPT_OPENSOCKETFUNCTION, &Transfer::open_nothing);
    set(easy, CURLOPT_OPENSOCKETDATA, this);
  }
}

curl_socket_t Transfer::open_nothing(void* self, curlsocktype /*purpose*/,
                                     curl_sockaddr* /*address*/) {
  static_cast<Transfer*>(self)->found_no_connection_ = true;
  return CURL_SOCKET_BAD;
}

void Transfer::set_up_request() {
  CURL* const easy = easy_.get();
  set(easy, CURLOPT_URL, url().c_str());
  set(easy, CURLOPT_USERAGENT, "triggerd-http-forward/1.0.0");
  set(easy, CURLOPT_HEADERFUNCTION, &Transfer::on_header);
  set(easy, CURLOPT_HEADERDATA, this);
  set(easy, CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  set(easy, CURLOPT_WRITEDATA, this);

  if (exchange_->kind == Exchange::Kind::probe) {
    set(easy, settings_.probe_url.empty() ? CURLOPT_NOBODY : CURLOPT_HTTPGET, 1L);
  } else {
    const std::string_view body = exchange_->content.body();
    set(easy, CURLOPT_POST, 1L);
    if (settings_.method != "POST") set(easy, CURLOPT_CUSTOMREQUEST, settings_.method.c_str());
    // Borrowed: the message stays valid until its verdict.
    set(easy, CURLOPT_POSTFIELDS, body.empty() ? "" : body.data());
    set(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  }

  add_header("Expect:");  // a small server does not know 100-continue, and costs a second then
  for (const std::string& line : exchange_->content.headers) add_header(line.c_str());
  set(easy, CURLOPT_HTTPHEADER, headers_.get());
}

void Transfer::add_header(const char* line) {
  curl_slist* const longer = curl_slist_append(headers_.get(), line);
  if (longer == nullptr) throw std::runtime_error("libcurl has no memory for a header");
  if (!headers_) headers_.reset(longer);
}

// Ends a little before the message's deadline, so that the reason still counts. False: it has
// passed.
bool Transfer::set_time_limit() {
  const auto left = std::chrono::duration_cast<milliseconds>(exchange_->deadline -
                                                             std::chrono::steady_clock::now());
  constexpr milliseconds most = std::chrono::hours(24);  // libcurl takes no more than an int
  milliseconds limit = std::min(left - std::min(left / 10, milliseconds(200)), most);
  if (settings_.timeout) limit = std::min(limit, *settings_.timeout);
  if (limit.count() <= 0) return false;
  curl_easy_setopt(easy_.get(), CURLOPT_TIMEOUT_MS, static_cast<long>(limit.count()));
  return true;
}

void Transfer::forget_answer() {
  outcome_ = {};
  header_bytes_ = 0;
  headers_ended_ = false;
  too_many_headers_ = false;
  error_[0] = '\0';
}

int Transfer::status() const {
  long status = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  return static_cast<int>(status);
}

long Transfer::connections_opened() const {
  long opened = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_NUM_CONNECTS, &opened);
  return opened;
}

bool Transfer::follows(CURLcode code) {
  const int code_of_answer = status();
  const bool keeps_method = code_of_answer == 301 || code_of_answer == 302 ||
                            code_of_answer == 307 || code_of_answer == 308;
  if (code != CURLE_OK || !keeps_method || redirects_ >= settings_.follow_redirects) return false;
  char* target = nullptr;
  curl_easy_getinfo(easy_.get(), CURLINFO_REDIRECT_URL, &target);
  // Nowhere else: headers may contain a secret that is only for this server.
  if (target == nullptr || !Url(target).has_origin_of(Url(settings_.server_url()))) return false;
  const std::string url = target;
  if (curl_easy_setopt(easy_.get(), CURLOPT_URL, url.c_str()) != CURLE_OK) return false;
  if (!set_time_limit()) return false;
  ++redirects_;
  forget_answer();
  return true;
}

// Whether it had a connection to be sent on, complete with TLS and the like.
bool Transfer::was_sent() const {
  curl_off_t ready = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_PRETRANSFER_TIME_T, &ready);
  return ready > 0;
}

void Transfer::end(CURLcode code) {
  const bool complete = code == CURLE_OK || (code == CURLE_WRITE_ERROR && outcome_.body_is_cut);
  if (!complete) {
    if (too_many_headers_) return fail("its headers are larger than 64 KiB");
    fail(error_[0] != '\0' ? error_.data() : curl_easy_strerror(code));
    outcome_.unsent = !was_sent();
    return;
  }
  // A connection that ends among the headers is an empty body to libcurl.
  if (!headers_ended_) return fail("the connection was closed within the headers of the answer");
  outcome_.status = status();
  char* text = nullptr;
  curl_easy_getinfo(easy_.get(), CURLINFO_CONTENT_TYPE, &text);
  if (text != nullptr) outcome_.content_type = text;
  if (outcome_.status < 300 || outcome_.status >= 400) return;
  text = nullptr;
  curl_easy_getinfo(easy_.get(), CURLINFO_REDIRECT_URL, &text);
  if (text == nullptr) return;
  outcome_.problem = "a redirect to " + shown(text);
  if (settings_.follow_redirects == 0) {
    outcome_.problem += ", and follow_redirects is 0";
  } else if (redirects_ >= settings_.follow_redirects) {
    outcome_.problem += ", after as many as follow_redirects allows";
  } else if (!Url(text).has_origin_of(Url(settings_.server_url()))) {
    outcome_.problem += ", which is another server";
  }
}

void Transfer::fail(std::string_view problem) {
  std::string text = trigger::printable(problem, 160);  // it may lie in what is forgotten
  forget_answer();
  outcome_.problem = std::move(text);
}

void Transfer::clear() {
  curl_easy_reset(easy_.get());
  headers_.reset();
  role_ = Role::either;
  found_no_connection_ = false;
  redirects_ = 0;
  forget_answer();
}

std::size_t Transfer::on_header(char* bytes, std::size_t size, std::size_t count, void* self) {
  try {
    Transfer& transfer = *static_cast<Transfer*>(self);
    transfer.take_header({bytes, size * count});
    return transfer.too_many_headers_ ? 0 : size * count;
  } catch (...) {
    return 0;
  }
}

void Transfer::take_header(std::string_view line) {
  constexpr std::string_view name = "retry-after:";
  header_bytes_ += line.size();
  too_many_headers_ = header_bytes_ > max_header_bytes;
  if (begins_with(line, "http/")) {
    sockets_.acknowledge_at_once();
    outcome_.retry_after.reset();  // of an intermediate answer
    headers_ended_ = false;
  } else if (line == "\r\n" || line == "\n") {
    headers_ended_ = true;
  } else if (begins_with(line, name)) {
    outcome_.retry_after = std::string(line.substr(name.size()));
  }
}

std::size_t Transfer::on_body(char* bytes, std::size_t size, std::size_t count, void* self) {
  try {
    return static_cast<Transfer*>(self)->take_body({bytes, size * count}) ? size * count : 0;
  } catch (...) {
    return 0;
  }
}

bool Transfer::take_body(std::string_view piece) {
  const std::size_t room = settings_.max_response - outcome_.body.size();
  outcome_.body += piece.substr(0, room);
  outcome_.body_is_cut = piece.size() > room;
  return !outcome_.body_is_cut;
}

}  // namespace http_forward
