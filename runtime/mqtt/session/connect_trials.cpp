#include "mqtt/session/connect_trials.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "base/file.hpp"
#include "mqtt/session/addrinfo.hpp"
#include "mqtt/wire/proxy.hpp"

namespace triggerd::mqtt {
namespace {

// A socket that is among those of the trials while its connect and what follows may wait.
class TrialSocket {
 public:
  explicit TrialSocket(TrialSockets& all) : all_(all) {}
  ~TrialSocket() {
    if (fd_) all_.remove(fd_.get());
  }
  TrialSocket(const TrialSocket&) = delete;
  TrialSocket& operator=(const TrialSocket&) = delete;

  // Begins a connect: 0, or an errno. EINPROGRESS: it goes on.
  int connect(const addrinfo& to) {
    fd_ = UniqueFd(::socket(to.ai_family, to.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd_) return errno;
    const int error = ::connect(fd_.get(), to.ai_addr, to.ai_addrlen) == 0 ? 0 : errno;
    all_.add(fd_.get());
    return error;
  }
  explicit operator bool() const { return static_cast<bool>(fd_); }
  int get() const { return fd_.get(); }

 private:
  TrialSockets& all_;
  UniqueFd fd_;
};

// Why a TCP connect fails; empty where it does not, and `socket` is connected then.
std::string why_unreachable(const std::string& address, std::uint16_t port, Millis limit,
                            TrialSocket& socket) {
  AddrinfoList list;
  if (look_up(address, std::to_string(port), AI_NUMERICHOST | AI_NUMERICSERV, list) != 0) return {};
  const int begun = socket.connect(*list);
  if (begun == 0) return {};
  if (begun != EINPROGRESS) return errno_text(begun);
  pollfd waiting{socket.get(), POLLOUT, 0};
  if (::poll(&waiting, 1, static_cast<int>(limit.count())) == 0) {
    return "no answer to a TCP connect";
  }
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error == 0 ? std::string() : errno_text(error);
}

// Whether `fd` is ready for `events` in time.
bool is_ready(int fd, short events, Monotonic deadline, const Clock& clock) {
  const auto left = std::chrono::ceil<Millis>(deadline - clock.now()).count();
  pollfd waiting{fd, events, 0};
  return left > 0 && ::poll(&waiting, 1, static_cast<int>(left)) == 1;
}

// Takes the proxy's answer off the socket, and leaves there what the server sends behind it.
void take_answer(int fd, wire::ProxyHandshake& handshake) {
  char bytes[1024];
  const ssize_t came = ::recv(fd, bytes, sizeof bytes, MSG_PEEK);
  if (came < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (came <= 0) {
    handshake.ended();
    return;
  }
  const std::size_t taken = handshake.receive({bytes, static_cast<std::size_t>(came)});
  (void)::recv(fd, bytes, taken, 0);
}

// Why the proxy at the other end of `fd` does not let us through; empty where it does, and then
// `fd` is connected to the server.
std::string why_no_way(int fd, const config::Proxy& proxy, const config::Server& server,
                       Millis limit, const Clock& clock) {
  const Monotonic deadline = clock.now() + limit;
  wire::ProxyHandshake handshake(proxy, {server.host, server.port});
  std::string output;
  while (!handshake.done() && handshake.fault().empty()) {
    output += handshake.take_output();
    if (!is_ready(fd, output.empty() ? POLLIN : POLLOUT, deadline, clock)) {
      return "the proxy did not answer in time";
    }
    if (output.empty()) {
      take_answer(fd, handshake);
      continue;
    }
    const ssize_t sent = ::send(fd, output.data(), output.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      output.erase(0, static_cast<std::size_t>(sent));
    } else if (errno != EAGAIN && errno != EINTR) {
      handshake.ended();
    }
  }
  return handshake.fault();
}

std::string why_failed(const Resolver::Failed& failed, const tls::HandshakeLimits& limits,
                       const Clock& clock, TrialSockets& sockets) {
  const config::Server& server = failed.server;
  const std::uint16_t port = failed.proxy ? failed.proxy->port : server.port;
  TrialSocket socket(sockets);
  std::string why = why_unreachable(failed.address, port, limits.answer, socket);
  if (!why.empty()) return failed.proxy ? "the proxy cannot be reached: " + why : why;
  if (!socket) return {};
  if (failed.proxy) {
    why = why_no_way(socket.get(), *failed.proxy, server, limits.answer, clock);
    if (!why.empty()) return why;
  }
  if (failed.tls) {
    return tls::why_handshake_fails(socket.get(), server.host, *failed.tls, limits, clock);
  }
  if (tls::answers_in_tls(socket.get(), limits.answer, clock)) {
    return fmt::format("the server speaks TLS on this port; write {}://",
                       server.is_websocket() ? "wss" : "ssl");
  }
  return {};
}

}  // namespace

void TrialSockets::add(int fd) {
  MutexLock lock(mutex_);
  open_.insert(fd);
  if (ended_) ::shutdown(fd, SHUT_RDWR);
}

void TrialSockets::remove(int fd) {
  MutexLock lock(mutex_);
  open_.erase(fd);
}

void TrialSockets::end() {
  MutexLock lock(mutex_);
  ended_ = true;
  for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
}

ConnectTrials::~ConnectTrials() {
  sockets_.end();
  std::list<Trial> all;
  {
    MutexLock lock(mutex_);
    all.swap(trials_);
  }
  for (Trial& trial : all) trial.thread.join();
}

void ConnectTrials::start(const Resolver::Failed& failed,
                          const std::function<void(std::string)>& done) {
  if (!started(failed, done)) done({});
}

bool ConnectTrials::started(const Resolver::Failed& failed,
                            const std::function<void(std::string)>& done) {
  MutexLock lock(mutex_);
  Trial& trial = trials_.emplace_back();
  try {
    trial.thread = std::thread([this, failed, done, &trial] {
      done(why_failed(failed, limits_, clock_, sockets_));
      // Each joins those that were over before it, so that one at most is left of many.
      std::list<Trial> finished;
      {
        MutexLock own(mutex_);
        finished = take_finished();
        trial.finished = true;
      }
      for (Trial& other : finished) other.thread.join();
    });
  } catch (const std::system_error&) {
    trials_.pop_back();
    return false;
  }
  return true;
}

std::list<ConnectTrials::Trial> ConnectTrials::take_finished() {
  std::list<Trial> finished;
  for (auto next = trials_.begin(); next != trials_.end();) {
    const auto trial = next++;
    if (trial->finished) finished.splice(finished.end(), trials_, trial);
  }
  return finished;
}

}  // namespace triggerd::mqtt
