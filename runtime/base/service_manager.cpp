#include "base/service_manager.hpp"

#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "base/file.hpp"

namespace triggerd {
namespace {

std::optional<std::uint64_t> number(const char* text) {
  if (text == nullptr) return std::nullopt;
  std::uint64_t value = 0;
  const char* end = text + std::strlen(text);
  const auto [at, failure] = std::from_chars(text, end, value);
  if (failure != std::errc() || at != end) return std::nullopt;
  return value;
}

// Milliseconds that a person would wait become what the manager counts in.
std::uint64_t in_microseconds(Millis time) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(time).count());
}

}  // namespace

ServiceManager::ServiceManager(const char* socket, const char* watchdog_usec,
                               const char* watchdog_pid)
    : socket_(socket == nullptr ? "" : socket) {
  const auto period = number(watchdog_usec);
  const auto pid = number(watchdog_pid);
  // A process that was started by the one that is watched inherits its environment.
  const bool ours = watchdog_pid == nullptr || pid == static_cast<std::uint64_t>(::getpid());
  if (socket_.empty() || !ours || !period || *period < 2'000) return;
  constexpr std::uint64_t kMicrosInMilli = 1'000;
  watchdog_ = Millis(static_cast<Millis::rep>(*period / kMicrosInMilli / 2));
}

ServiceManager ServiceManager::of_environment() {
  // Nothing here changes the environment.
  // NOLINTNEXTLINE(concurrency-mt-unsafe)
  return {std::getenv("NOTIFY_SOCKET"), std::getenv("WATCHDOG_USEC"), std::getenv("WATCHDOG_PID")};
}

void ServiceManager::ready() const {
  say("READY=1");
}

void ServiceManager::reloading() const {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  say(fmt::format("RELOADING=1\nMONOTONIC_USEC={}",
                  std::chrono::duration_cast<std::chrono::microseconds>(now).count()));
}

void ServiceManager::stopping(Millis at_most) const {
  constexpr Millis kToSpare{5'000};
  say(fmt::format("STOPPING=1\nEXTEND_TIMEOUT_USEC={}", in_microseconds(at_most + kToSpare)));
}

void ServiceManager::alive() const {
  say("WATCHDOG=1");
}

void ServiceManager::say(std::string_view text) const {
  sockaddr_un address{};
  if (socket_.size() < 2 || socket_.size() >= sizeof address.sun_path) return;
  if (socket_[0] != '/' && socket_[0] != '@') return;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  if (socket_[0] == '@') address.sun_path[0] = '\0';  // the abstract namespace
  const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  static_cast<void>(::sendto(fd.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                             reinterpret_cast<const sockaddr*>(&address), size));
}

}  // namespace triggerd
