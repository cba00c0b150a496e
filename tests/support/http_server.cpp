#include "support/http_server.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace triggerd::test {
namespace {

[[noreturn]] void fail_with_errno(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

UniqueFd listen_on_path(const std::filesystem::path& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.string().copy(address.sun_path, sizeof address.sun_path - 1);
  ::unlink(path.c_str());
  if (!fd || ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), 64) != 0) {
    fail_with_errno("cannot listen on a Unix socket");
  }
  return fd;
}

bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

// Appends what came. False: the client has gone.
bool receive(int fd, std::string& buffer) {
  char piece[16384];
  const ssize_t got = ::recv(fd, piece, sizeof piece, 0);
  if (got <= 0) return false;
  buffer.append(piece, static_cast<std::size_t>(got));
  return true;
}

// Whether the client goes within `time`.
bool goes_within(int fd, Millis time) {
  pollfd waits{fd, POLLRDHUP, 0};
  return ::poll(&waits, 1, static_cast<int>(time.count())) != 0;
}

}  // namespace

std::string HttpRequest::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (::strcasecmp(key.c_str(), std::string(name).c_str()) == 0) return value;
  }
  return {};
}

std::size_t HttpRequest::count(std::string_view name) const {
  return static_cast<std::size_t>(
      std::count_if(headers.begin(), headers.end(), [&](const auto& header) {
        return ::strcasecmp(header.first.c_str(), std::string(name).c_str()) == 0;
      }));
}

HttpAnswer& HttpAnswer::send(std::string bytes) {
  steps_.emplace_back(std::move(bytes));
  return *this;
}
HttpAnswer& HttpAnswer::wait(Millis time) {
  steps_.emplace_back(time);
  return *this;
}
HttpAnswer& HttpAnswer::close() {
  steps_.emplace_back(Close{false});
  return *this;
}
HttpAnswer& HttpAnswer::reset() {
  steps_.emplace_back(Close{true});
  return *this;
}
HttpAnswer& HttpAnswer::stall() {
  steps_.emplace_back(Stall{});
  return *this;
}
HttpAnswer& HttpAnswer::send_without_end(std::string bytes) {
  steps_.emplace_back(Endless{std::move(bytes)});
  return *this;
}

std::string http(int status, const std::vector<std::string>& headers, std::string_view body) {
  std::string out = fmt::format("HTTP/1.1 {} Status\r\n", status);
  for (const std::string& line : headers) out += line + "\r\n";
  if (status != 204) out += fmt::format("Content-Length: {}\r\n", body.size());
  return out + "\r\n" + std::string(body);
}

ScriptedHttpServer::ScriptedHttpServer() {
  start();
}

ScriptedHttpServer::ScriptedHttpServer(std::filesystem::path unix_socket)
    : unix_socket_(std::move(unix_socket)) {
  start();
}

ScriptedHttpServer::~ScriptedHttpServer() {
  if (acceptor_.joinable()) stop();
}

std::string ScriptedHttpServer::url(std::string_view path) const {
  return fmt::format("http://127.0.0.1:{}{}", port(), path);
}

void ScriptedHttpServer::answer(HttpHandler handler) {
  MutexLock lock(mutex_);
  handler_ = std::move(handler);
}

void ScriptedHttpServer::start() {
  stopping_ = false;
  listener_ = unix_socket_.empty() ? listen_on_loopback(port()) : listen_on_path(unix_socket_);
  acceptor_ = std::thread([this] { accept_all(); });
}

void ScriptedHttpServer::stop() {
  stopping_ = true;
  ::shutdown(listener_.get(), SHUT_RDWR);  // wakes accept()
  acceptor_.join();
  listener_.reset();
  std::list<Connection> open;
  {
    MutexLock lock(mutex_);
    open.swap(open_);
  }
  for (Connection& connection : open) ::shutdown(connection.fd.get(), SHUT_RDWR);
  for (Connection& connection : open) connection.thread.join();
}

void ScriptedHttpServer::accept_all() {
  for (;;) {
    UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (stopping_) return;
    if (!fd) continue;
    MutexLock lock(mutex_);
    open_.remove_if([](Connection& connection) {
      if (!connection.ended) return false;
      connection.thread.join();
      return true;
    });
    const std::size_t number = accepted_++;
    changed_.notify_all();
    if (closing_ > 0) {
      --closing_;
      continue;
    }
    Connection& connection = open_.emplace_back();
    connection.fd = std::move(fd);
    connection.thread = std::thread([this, &connection, number] {
      serve(connection, number);
      ::shutdown(connection.fd.get(), SHUT_RDWR);
      connection.ended = true;
    });
  }
}

void ScriptedHttpServer::serve(Connection& connection, std::size_t number) {
  const int fd = connection.fd.get();
  std::string buffer;
  while (auto request = read_request(fd, buffer)) {
    HttpHandler handler;
    {
      MutexLock lock(mutex_);
      request->connection = number;
      request->index = requests_.size();
      requests_.push_back(*request);
      handler = handler_;
      changed_.notify_all();
    }
    const HttpAnswer answer = handler ? handler(*request) : HttpAnswer().send(http(204));
    if (!perform(fd, answer)) return;
  }
}

std::optional<HttpRequest> ScriptedHttpServer::read_request(int fd, std::string& buffer) const {
  std::size_t end = 0;
  while ((end = buffer.find("\r\n\r\n")) == std::string::npos) {
    if (!receive(fd, buffer)) return std::nullopt;
  }
  HttpRequest request;
  std::string_view head(buffer.data(), end + 2);
  const auto next_line = [&head] {
    const std::size_t stop = head.find("\r\n");
    const std::string_view line = head.substr(0, stop);
    head.remove_prefix(stop + 2);
    return line;
  };
  const std::string_view first = next_line();
  const std::size_t target = first.find(' ') + 1;
  request.method = first.substr(0, target - 1);
  request.target = first.substr(target, first.find(' ', target) - target);
  while (!head.empty()) {
    const std::string_view line = next_line();
    const std::size_t colon = line.find(':');
    request.headers.emplace_back(line.substr(0, colon), line.substr(colon + 2));
  }
  const std::string length = request.header("content-length");
  const std::size_t whole = end + 4 + (length.empty() ? 0 : std::stoul(length));
  while (buffer.size() < whole) {
    if (!receive(fd, buffer)) return std::nullopt;
  }
  request.body = buffer.substr(end + 4, whole - end - 4);
  buffer.erase(0, whole);
  return request;
}

// False: the connection is over.
bool ScriptedHttpServer::perform(int fd, const HttpAnswer& answer) const {
  for (const auto& step : answer.steps_) {
    if (const auto* bytes = std::get_if<std::string>(&step)) {
      if (!send_all(fd, *bytes)) return false;
    } else if (const auto* time = std::get_if<Millis>(&step)) {
      if (goes_within(fd, *time)) return false;
    } else if (const auto* end = std::get_if<HttpAnswer::Close>(&step)) {
      // Without a shutdown() before it, a close that lingers for no time is a RST.
      const linger none{1, 0};
      if (end->reset) {
        ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
        const sockaddr unspecific{AF_UNSPEC, {}};
        ::connect(fd, &unspecific, sizeof unspecific);
      }
      return false;
    } else if (const auto* endless = std::get_if<HttpAnswer::Endless>(&step)) {
      while (send_all(fd, endless->bytes)) {
      }
      return false;
    } else {
      goes_within(fd, Millis(600'000));
      return false;
    }
  }
  return true;
}

std::vector<HttpRequest> ScriptedHttpServer::requests() const {
  MutexLock lock(mutex_);
  return requests_;
}

bool ScriptedHttpServer::wait_for_requests(std::size_t count, Millis timeout) {
  const Monotonic deadline = std::chrono::steady_clock::now() + timeout;
  MutexLock lock(mutex_);
  while (requests_.size() < count) {
    if (changed_.wait_until(mutex_, deadline) == std::cv_status::timeout) {
      return requests_.size() >= count;
    }
  }
  return true;
}

std::size_t ScriptedHttpServer::connections() const {
  MutexLock lock(mutex_);
  return accepted_;
}

bool ScriptedHttpServer::wait_until_alone(Millis timeout) {
  return eventually(
      [this] {
        MutexLock lock(mutex_);
        return std::all_of(open_.begin(), open_.end(),
                           [](const Connection& connection) { return connection.ended.load(); });
      },
      timeout);
}

}  // namespace triggerd::test
