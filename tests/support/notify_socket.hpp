// The socket of a service manager, as systemd has one for each service.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "support/eventually.hpp"

namespace triggerd::test {

class NotifySocket {
 public:
  // `name` is a path, or begins with "@": the abstract namespace.
  explicit NotifySocket(std::string name)
      : name_(std::move(name)), fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (name_.size() >= sizeof address.sun_path) throw std::runtime_error(name_ + ": too long");
    std::memcpy(address.sun_path, name_.data(), name_.size());
    if (name_[0] == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
    if (::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) {
      throw std::runtime_error("cannot bind " + name_);
    }
  }
  const std::string& name() const { return name_; }

  // What was said next; nullopt: nothing, within `timeout`.
  std::optional<std::string> next(Millis timeout = kPatience) {
    timeval wait{};
    wait.tv_sec = timeout.count() / 1000;
    wait.tv_usec = timeout.count() % 1000 * 1000 + 1;  // 0 would be without end
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    char text[512];
    const ssize_t size = ::recv(fd_.get(), text, sizeof text, 0);
    if (size < 0) return std::nullopt;
    return std::string(text, static_cast<std::size_t>(size));
  }
  // Whether something that begins with `text` comes; what comes before is dropped.
  bool comes(const std::string& text) {
    while (const auto said = next()) {
      if (said->starts_with(text)) return true;
    }
    return false;
  }

 private:
  const std::string name_;
  const UniqueFd fd_;
};

}  // namespace triggerd::test
