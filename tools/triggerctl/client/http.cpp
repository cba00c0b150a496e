#include "client/http.hpp"

#include <curl/curl.h>

#include <memory>
#include <mutex>

#include "client/unreachable.hpp"
#include "command_line.hpp"

namespace triggerctl {
namespace {

constexpr long kConnectSeconds = 10;
constexpr long kAnswerSeconds = 300;  // an install loads plugins, a publish waits for its server
constexpr std::size_t kLargestAnswer = std::size_t{512} << 20;

struct HandleDeleter {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct HeadersDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

}  // namespace

// One request. It must not move: libcurl has its address.
struct Http::Transfer {
  Transfer(const Endpoint& endpoint, const std::string& method, const std::string& path) {
    static std::once_flag once;
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
    handle.reset(curl_easy_init());
    CURL* const curl = handle.get();
    if (!endpoint.socket.empty()) {
      curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, endpoint.socket.c_str());
      curl_easy_setopt(curl, CURLOPT_PROXY, "");  // whatever the environment says
    }
    curl_easy_setopt(curl, CURLOPT_URL, (endpoint.url + path).c_str());
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method.c_str());
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
    add_header("User-Agent: triggerctl");
    add_header("X-Triggerd-By: triggerctl");
    add_header("Expect:");
    if (!endpoint.token.empty()) add_header("Authorization: Bearer " + endpoint.token);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &Transfer::write);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, this);
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  void add_header(const std::string& line) {
    curl_slist* const longer = curl_slist_append(headers.get(), line.c_str());
    if (longer == nullptr) return;
    static_cast<void>(headers.release());
    headers.reset(longer);
  }

  CURLcode perform() {
    curl_easy_setopt(handle.get(), CURLOPT_HTTPHEADER, headers.get());
    const CURLcode code = curl_easy_perform(handle.get());
    curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &answer.status);
    const char* type = nullptr;
    curl_easy_getinfo(handle.get(), CURLINFO_CONTENT_TYPE, &type);
    if (type != nullptr) answer.type = type;
    return code;
  }

  triggerd::Error why(const Endpoint& endpoint, CURLcode code) const {
    long os_error = 0;
    curl_easy_getinfo(handle.get(), CURLINFO_OS_ERRNO, &os_error);
    const std::string said = error[0] != '\0' ? error : curl_easy_strerror(code);
    return {why_unreachable(endpoint, {.system_error = static_cast<int>(os_error),
                                       .timed_out = code == CURLE_OPERATION_TIMEDOUT,
                                       .said = said}),
            kUnreachable};
  }

  static std::size_t write(char* bytes, std::size_t size, std::size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    const std::size_t length = size * count;
    return transfer.take({bytes, length}) ? length : 0;
  }

  bool take(std::string_view bytes) {
    long status = 0;
    curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
    if (!on_event || status != 200) {
      answer.body.append(bytes);
      return answer.body.size() <= kLargestAnswer;
    }
    pending.append(bytes);
    for (std::size_t end = 0; (end = pending.find('\n')) != std::string::npos;) {
      std::string line = pending.substr(0, end);
      pending.erase(0, end + 1);
      if (line.ends_with('\r')) line.pop_back();
      if (line.starts_with("data:")) {
        if (!data.empty()) data += '\n';
        data += std::string_view(line).substr(line.starts_with("data: ") ? 6 : 5);
      } else if (line.empty() && !data.empty()) {
        const std::string whole = std::exchange(data, {});
        if (!on_event(whole)) {
          finished = true;
          return false;
        }
      }
    }
    return pending.size() <= kLargestAnswer;
  }

  std::unique_ptr<CURL, HandleDeleter> handle;
  std::unique_ptr<curl_slist, HeadersDeleter> headers;
  char error[CURL_ERROR_SIZE] = {};
  Answer answer;
  std::function<bool(std::string_view)> on_event;
  std::string pending;  // of a line
  std::string data;     // of an event
  bool finished = false;
};

triggerd::Result<Answer> Http::send(const std::string& method, const std::string& path,
                                    const std::string& body) const {
  Transfer transfer(endpoint_, method, path);
  CURL* const curl = transfer.handle.get();
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, kAnswerSeconds);
  if (!body.empty()) {
    transfer.add_header("Content-Type: application/json");
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.data());
  } else if (method == "POST" || method == "PUT") {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, 0L);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
    transfer.add_header("Content-Type:");
  }
  if (const CURLcode code = transfer.perform(); code != CURLE_OK) {
    return tl::make_unexpected(transfer.why(endpoint_, code));
  }
  return std::move(transfer.answer);
}

triggerd::Result<Answer> Http::stream(const std::string& path,
                                      const std::function<bool(std::string_view)>& on_event,
                                      const std::stop_token& stop) const {
  Transfer transfer(endpoint_, "GET", path);
  CURL* const curl = transfer.handle.get();
  transfer.on_event = on_event;
  transfer.add_header("Accept: text/event-stream");
  // A comment comes every 15 s, so silence means that the server hangs.
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, 60L);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  using ProgressFunction = int (*)(void*, curl_off_t, curl_off_t, curl_off_t, curl_off_t);
  const ProgressFunction end_if_asked = [](void* asked, curl_off_t, curl_off_t, curl_off_t,
                                           curl_off_t) {
    return static_cast<const std::stop_token*>(asked)->stop_requested() ? 1 : 0;
  };
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, end_if_asked);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &stop);
  const CURLcode code = transfer.perform();
  if (code == CURLE_OK || transfer.finished || stop.stop_requested()) {
    return std::move(transfer.answer);
  }
  return tl::make_unexpected(transfer.why(endpoint_, code));
}

}  // namespace triggerctl
