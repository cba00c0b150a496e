// HttpClient: one connection on which a test says exactly what it wants, polite or not.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "base/file.hpp"
#include "support/port.hpp"

namespace triggerd::test {

struct HttpAnswer {
  int status = 0;  // 0: none came
  std::string head;
  std::string body;
};

class HttpClient {
 public:
  explicit HttpClient(std::uint16_t port) : fd_(connect_loopback(port)) {}
  explicit HttpClient(UniqueFd fd) : fd_(std::move(fd)) {}

  // False: the other side has closed it.
  bool send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  HttpAnswer ask(std::string_view method, std::string_view target, std::string_view headers = "",
                 std::string_view body = "") {
    std::string text = std::string(method) + " " + std::string(target) +
                       " HTTP/1.1\r\nHost: localhost\r\n" + std::string(headers);
    if (!body.empty()) text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    text += "\r\n" + std::string(body);
    send(text);
    return read_answer(method == "HEAD");
  }
  HttpAnswer read_answer(bool is_head = false) {
    HttpAnswer answer;
    const auto end = read_until("\r\n\r\n");
    if (!end) return answer;
    answer.head = buffer_.substr(0, *end);
    buffer_.erase(0, *end + 4);
    answer.status = std::atoi(answer.head.substr(9, 3).c_str());
    const std::size_t at = answer.head.find("Content-Length: ");
    if (at == std::string::npos || is_head) return answer;
    const std::size_t length = std::strtoull(answer.head.c_str() + at + 16, nullptr, 10);
    while (buffer_.size() < length && receive()) {
    }
    answer.body = buffer_.substr(0, length);
    buffer_.erase(0, length);
    return answer;
  }
  // Up to and with the next blank line: one event of a stream.
  std::string read_event() {
    const auto end = read_until("\n\n");
    if (!end) return {};
    std::string event = buffer_.substr(0, *end);
    buffer_.erase(0, *end + 2);
    return event;
  }
  bool wait_for_end() {
    while (receive()) {
    }
    return ended_;
  }
  int fd() const { return fd_.get(); }

 private:
  std::optional<std::size_t> read_until(std::string_view what) {
    for (;;) {
      const std::size_t at = buffer_.find(what);
      if (at != std::string::npos) return at;
      if (!receive()) return std::nullopt;
    }
  }
  bool receive() {
    char block[16384];
    const ssize_t got = ::recv(fd_.get(), block, sizeof block, 0);
    if (got <= 0) {
      ended_ = got == 0 || errno == ECONNRESET;
      return false;
    }
    buffer_.append(block, static_cast<std::size_t>(got));
    return true;
  }

  UniqueFd fd_;
  std::string buffer_;
  bool ended_ = false;
};

}  // namespace triggerd::test
