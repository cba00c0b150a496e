#include "client/unreachable.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/file.hpp"

namespace triggerctl {
namespace {

// An errno; 0: somebody listens.
int try_socket(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& name = path.native();
  if (name.size() >= sizeof address.sun_path) return ENAMETOOLONG;
  std::memcpy(address.sun_path, name.data(), name.size());
  const triggerd::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return errno;
  const int done = ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  return done == 0 ? 0 : errno;
}

std::string how_to_start(const Endpoint& endpoint) {
  return fmt::format("triggerd --config {}", endpoint.config_file.empty()
                                                 ? "triggers.toml"
                                                 : endpoint.config_file.string());
}

// The owner of the socket, or of the nearest folder above it that can be seen.
std::string owner_of(std::filesystem::path path) {
  struct stat status {};
  while (::stat(path.c_str(), &status) != 0) {
    if (!path.has_parent_path() || path == path.parent_path()) return "";
    path = path.parent_path();
  }
  passwd user{};
  passwd* found = nullptr;
  std::array<char, 4096> text{};
  ::getpwuid_r(status.st_uid, &user, text.data(), text.size(), &found);
  return found != nullptr ? user.pw_name : std::to_string(status.st_uid);
}

std::string about_socket(const Endpoint& endpoint, const Silence& silence) {
  const std::string path = endpoint.socket.string();
  switch (try_socket(endpoint.socket)) {
    case ENOENT:
    case ENOTDIR:
      return fmt::format(
          "triggerd is not running: there is no socket {}; start it with \"{}\"{}", path,
          how_to_start(endpoint),
          endpoint.config_file.empty() ? "" : ", or name another configuration with --config FILE");
    case ECONNREFUSED:
      return fmt::format(
          "triggerd is not running: nothing listens on {}, which an earlier one has left behind; "
          "start it with \"{}\"",
          path, how_to_start(endpoint));
    case EACCES:
    case EPERM: {
      const std::string owner = owner_of(endpoint.socket);
      return fmt::format(
          "{}: permission denied: only user {} may use it; run \"sudo -u {} triggerctl ...\", or "
          "use --url and a token",
          path, owner, owner);
    }
    case ENAMETOOLONG:
      return fmt::format(
          "{}: a socket's path may have at most 107 characters; name a shorter path to it with "
          "--socket, or choose a shorter state_dir",
          path);
    default:
      if (silence.timed_out) {
        return fmt::format("triggerd does not answer on {}: {}; its log may say why", path,
                           silence.said);
      }
      return fmt::format("{}: {}; is that the socket of a triggerd?", path, silence.said);
  }
}

}  // namespace

std::string why_unreachable(const Endpoint& endpoint, const Silence& silence) {
  if (!endpoint.socket.empty()) return about_socket(endpoint, silence);
  const char* advice = "is triggerd running there, and is that its [admin] listen address?";
  if (silence.timed_out) advice = "it may be busy, or a firewall may be in between";
  return fmt::format("cannot reach {}: {}{}; {}", endpoint.url, silence.said,
                     silence.system_error != 0 && silence.said.find(triggerd::errno_text(
                                                      silence.system_error)) == std::string::npos
                         ? ": " + triggerd::errno_text(silence.system_error)
                         : "",
                     advice);
}

bool nobody_runs(const Endpoint& endpoint) {
  if (endpoint.socket.empty()) return false;
  const int why = try_socket(endpoint.socket);
  return why == ENOENT || why == ENOTDIR || why == ECONNREFUSED;
}

}  // namespace triggerctl
