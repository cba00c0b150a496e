#include "broker/server.hpp"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace bench {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
// Small, so that at QoS 0 what counts as sent is what was taken.
constexpr int kSendBuffer = 256 << 10;

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

int checked(int result, const char* call) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), call);
  return result;
}

TlsContext tls_of(const Options& options) {
  return options.tls_certificate.empty() ? nullptr
                                         : tls_server(options.tls_certificate, options.tls_key);
}

}  // namespace

Server::Server(const Options& options)
    : options_(options), tls_(tls_of(options)), publishes_(options) {
  epoll_ = checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  timer_ = checked(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd_create");
  listener_ = checked(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  checked(::bind(listener_, any, size), "bind to 127.0.0.1");
  checked(::listen(listener_, SOMAXCONN), "listen");
  checked(::getsockname(listener_, any, &size), "getsockname");
  port_ = ntohs(address.sin_port);
  watch(listener_, EPOLLIN);
  watch(timer_, EPOLLIN);
}

Server::~Server() {
  clients_.clear();
  for (const int fd : {listener_, timer_, epoll_}) ::close(fd);
}

void Server::watch(int fd, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  checked(::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

std::string Server::run() {
  phase_ends_ = monotonic_ns() + static_cast<std::uint64_t>(options_.patience * kSecond);
  std::array<epoll_event, 64> events{};
  while (phase_ != Phase::done) {
    const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()),
                                   timeout_ms(monotonic_ns()));
    if (count < 0 && errno != EINTR) checked(count, "epoll_wait");
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.fd == listener_) {
        accept_all();
      } else if (event.data.fd == timer_) {
        std::uint64_t expirations = 0;
        (void)!::read(timer_, &expirations, sizeof expirations);
      } else {
        serve(event.data.fd, event.events);
      }
    }
    advance(monotonic_ns());
  }
  return result();
}

void Server::accept_all() {
  for (;;) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR) return;
      checked(fd, "accept");
    }
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kSendBuffer, sizeof kSendBuffer);
    clients_[fd] = {
        std::make_unique<Connection>(std::make_unique<Wire>(fd, tls_.get()), options_, publishes_),
        false};
    watch(fd, EPOLLIN);
  }
}

void Server::serve(int fd, std::uint32_t events) {
  const auto found = clients_.find(fd);
  if (found == clients_.end()) return;
  Connection& connection = *found->second.connection;
  bool alive = true;
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) alive = connection.on_readable();
  if (alive && (events & EPOLLOUT) != 0) alive = connection.write();
  if (alive) return watch_writing(connection);
  if (connection.subscribed()) {
    throw std::runtime_error(
        fmt::format("a subscriber's connection ended in the middle of the run, after {} messages",
                    connection.completed()));
  }
  clients_.erase(found);
}

void Server::watch_writing(Connection& connection) {
  Client& client = clients_[connection.fd()];
  if (client.watches_writing == connection.wants_to_write()) return;
  client.watches_writing = connection.wants_to_write();
  epoll_event event{};
  event.events = client.watches_writing ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.fd = connection.fd();
  checked(::epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd(), &event), "epoll_ctl");
}

std::vector<Connection*> Server::subscribers() const {
  std::vector<Connection*> found;
  for (const auto& [fd, client] : clients_) {
    if (client.connection->subscribed()) found.push_back(client.connection.get());
  }
  return found;
}

void Server::send_until(std::uint64_t limit) {
  for (Connection* connection : subscribers()) {
    connection->send_until(limit);
    connection->write();  // where it has ended, reading says so
    watch_writing(*connection);
  }
}

void Server::advance(std::uint64_t now) {
  switch (phase_) {
    case Phase::waiting:
      if (subscribers().size() >= options_.connections) {
        return enter(Phase::backlog, now);
      }
      if (now < phase_ends_) return;
      throw std::runtime_error(fmt::format(
          "{} of {} connections subscribed within {} s; is the contender running, and was it given "
          "this port?",
          subscribers().size(), options_.connections, options_.patience));
    case Phase::backlog: {
      const auto all = subscribers();
      if (std::all_of(all.begin(), all.end(), [this](const Connection* connection) {
            return connection->completed() >= options_.backlog;
          })) {
        enter(Phase::warming, now);
      }
      return;
    }
    case Phase::warming:
      if (options_.paced()) send_due(now);
      if (now >= phase_ends_) enter(Phase::measuring, now);
      return;
    case Phase::measuring:
      if (options_.paced()) send_due(now);
      if (now >= phase_ends_) enter(Phase::done, now);
      return;
    case Phase::done:
      return;
  }
}

void Server::enter(Phase phase, std::uint64_t now) {
  phase_ = phase;
  switch (phase) {
    case Phase::waiting:
      return;
    case Phase::backlog:
      backlog_began_ = now;
      send_until(options_.backlog);
      return advance(now);
    case Phase::warming:
      backlog_ended_ = now;
      phase_ends_ = now + static_cast<std::uint64_t>(options_.warmup * kSecond);
      if (options_.paced()) {
        due_ns_ = static_cast<double>(now) + gap_ns();
        arm_timer(static_cast<std::uint64_t>(due_ns_));
      } else {
        send_until(Connection::kNoLimit);
      }
      return advance(now);
    case Phase::measuring:
      begin_ = snapshot(now);
      phase_ends_ = now + static_cast<std::uint64_t>(options_.seconds * kSecond);
      return;
    case Phase::done:
      end_ = snapshot(now);
      return;
  }
}

double Server::gap_ns() {
  if (options_.sparse) {
    std::uniform_real_distribution<double> gap(options_.sparse->min_ms, options_.sparse->max_ms);
    return gap(random_) * 1e6;
  }
  return static_cast<double>(kSecond) / *options_.pace;
}

void Server::send_due(std::uint64_t now) {
  if (static_cast<double>(now) < due_ns_) return;
  auto all = subscribers();
  const Stamp stamp = Stamp::now();
  while (static_cast<double>(now) >= due_ns_) {
    all[turn_++ % all.size()]->send(stamp);
    due_ns_ += gap_ns();
  }
  for (Connection* connection : all) {
    connection->write();
    watch_writing(*connection);
  }
  arm_timer(static_cast<std::uint64_t>(due_ns_));
}

void Server::arm_timer(std::uint64_t at_ns) {
  itimerspec when{};
  when.it_value.tv_sec = static_cast<time_t>(at_ns / kSecond);
  when.it_value.tv_nsec = static_cast<long>(at_ns % kSecond);
  checked(::timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr), "timerfd_settime");
}

int Server::timeout_ms(std::uint64_t now) const {
  if (phase_ == Phase::backlog) return 1000;  // only what arrives ends it
  return phase_ends_ <= now ? 0 : static_cast<int>((phase_ends_ - now) / 1'000'000 + 1);
}

Server::Snapshot Server::snapshot(std::uint64_t now) const {
  Snapshot taken{.at_ns = now, .messages = 0, .cpu_seconds = cpu_seconds()};
  for (const Connection* connection : subscribers()) taken.messages += connection->completed();
  return taken;
}

std::string Server::result() const {
  const std::uint64_t messages = end_.messages - begin_.messages;
  const double seconds = static_cast<double>(end_.at_ns - begin_.at_ns) / kSecond;
  std::size_t in_flight_max = 0;
  for (const Connection* connection : subscribers()) {
    in_flight_max = std::max(in_flight_max, connection->in_flight_max());
  }
  std::string line = fmt::format(
      R"({{"messages":{},"seconds":{:.6f},"rate":{:.1f},"cpu_seconds":{:.6f},"in_flight_max":{})",
      messages, seconds, seconds > 0 ? static_cast<double>(messages) / seconds : 0,
      end_.cpu_seconds - begin_.cpu_seconds, in_flight_max);
  if (options_.backlog > 0) {
    line += fmt::format(R"(,"backlog_seconds":{:.6f})",
                        static_cast<double>(backlog_ended_ - backlog_began_) / kSecond);
  }
  return line + "}";
}

}  // namespace bench
