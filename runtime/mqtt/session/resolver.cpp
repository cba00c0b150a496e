#include "mqtt/session/resolver.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <system_error>
#include <thread>

#include "base/file.hpp"
#include "base/mutex.hpp"
#include "mqtt/tls/handshake.hpp"
#include "mqtt/wire/proxy.hpp"

namespace triggerd::mqtt {
namespace {

struct FreeAddrinfo {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using AddrinfoList = std::unique_ptr<addrinfo, FreeAddrinfo>;

// `flags` 0 looks the name up; AI_NUMERICHOST only reads an address.
int look_up(const std::string& host, const std::string& port, int flags, AddrinfoList& list) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* found = nullptr;
  const int code =
      ::getaddrinfo(host.c_str(), port.empty() ? nullptr : port.c_str(), &hints, &found);
  list.reset(found);
  return code;
}

Result<Resolver::Addresses> addresses_of(const std::string& host) {
  AddrinfoList list;
  const int code = look_up(host, "", 0, list);
  if (code != 0) {
    return fail("cannot look up host \"{}\": {}", host,
                code == EAI_SYSTEM ? errno_text(errno) : ::gai_strerror(code));
  }
  Resolver::Addresses addresses;
  for (const addrinfo* entry = list.get(); entry != nullptr; entry = entry->ai_next) {
    char text[NI_MAXHOST];
    if (::getnameinfo(entry->ai_addr, entry->ai_addrlen, text, sizeof text, nullptr, 0,
                      NI_NUMERICHOST) == 0) {
      addresses.emplace_back(text);
    }
  }
  if (addresses.empty()) return fail("host \"{}\" has no usable address", host);
  return addresses;
}

// Why a TCP connect fails; empty where it does not. `fd` is the socket, connected then.
std::string why_unreachable(const std::string& address, std::uint16_t port, Millis limit,
                            UniqueFd& fd) {
  AddrinfoList list;
  if (look_up(address, std::to_string(port), AI_NUMERICHOST | AI_NUMERICSERV, list) != 0) return {};
  fd = UniqueFd(::socket(list->ai_family, list->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return errno_text(errno);
  if (::connect(fd.get(), list->ai_addr, list->ai_addrlen) == 0) return {};
  if (errno != EINPROGRESS) return errno_text(errno);
  pollfd waiting{fd.get(), POLLOUT, 0};
  if (::poll(&waiting, 1, static_cast<int>(limit.count())) == 0) {
    return "no answer to a TCP connect";
  }
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
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
                       const Clock& clock) {
  const config::Server& server = failed.server;
  const std::uint16_t port = failed.proxy ? failed.proxy->port : server.port;
  UniqueFd fd;
  std::string why = why_unreachable(failed.address, port, limits.answer, fd);
  if (!why.empty()) return failed.proxy ? "the proxy cannot be reached: " + why : why;
  if (!fd) return {};
  if (failed.proxy) {
    why = why_no_way(fd.get(), *failed.proxy, server, limits.answer, clock);
    if (!why.empty()) return why;
  }
  if (failed.tls) {
    return tls::why_handshake_fails(fd.get(), server.host, *failed.tls, limits, clock);
  }
  if (tls::answers_in_tls(fd.get(), limits.answer, clock)) {
    return fmt::format("the server speaks TLS on this port; write {}://",
                       server.is_websocket() ? "wss" : "ssl");
  }
  return {};
}

class SystemResolver final : public Resolver {
 public:
  SystemResolver(const Clock& clock, const tls::HandshakeLimits& limits)
      : clock_(clock), limits_(limits) {}

  void resolve(const std::string& host, Done done) override {
    AddrinfoList numeric;
    if (look_up(host, "", AI_NUMERICHOST, numeric) == 0) {
      done(Addresses{host});
      return;
    }
    {
      MutexLock lock(shared_->mutex);
      std::vector<Done>& waiting = shared_->waiting[host];
      waiting.push_back(std::move(done));
      if (waiting.size() > 1) return;
    }
    start([shared = shared_, host] { shared->answer(host, addresses_of(host)); },
          [shared = shared_, host](const std::string& why) {
            shared->answer(host, fail("cannot look up host \"{}\": {}", host, why));
          });
  }

  void explain(const Failed& failed, std::function<void(std::string)> done) override {
    start([failed, done, limits = limits_,
           &clock = clock_] { done(why_failed(failed, limits, clock)); },
          [done](const std::string&) { done({}); });
  }

 private:
  // Outlives the resolver while a lookup runs.
  struct Shared {
    void answer(const std::string& host, const Result<Addresses>& addresses) {
      std::vector<Done> told;
      {
        MutexLock lock(mutex);
        told = std::move(waiting[host]);
        waiting.erase(host);
      }
      for (const Done& done : told) done(addresses);
    }
    Mutex mutex;
    std::map<std::string, std::vector<Done>> waiting TRIGGERD_GUARDED_BY(mutex);
  };

  // Detached on purpose: a lookup cannot be interrupted, and shutting down must not wait for DNS.
  static void start(const std::function<void()>& work,
                    const std::function<void(const std::string&)>& failed) {
    try {
      std::thread(work).detach();
    } catch (const std::system_error& error) {
      failed(error.what());
    }
  }

  const Clock& clock_;
  const tls::HandshakeLimits limits_;
  const std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

}  // namespace

std::unique_ptr<Resolver> make_system_resolver(const Clock& clock,
                                               const tls::HandshakeLimits& limits) {
  return std::make_unique<SystemResolver>(clock, limits);
}

}  // namespace triggerd::mqtt
