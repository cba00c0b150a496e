#include "admin/server.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/socket.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <list>
#include <thread>

#include "admin/event_stream.hpp"
#include "admin/head.hpp"
#include "admin/peer_user.hpp"
#include "admin/problem.hpp"
#include "admin/workers.hpp"
#include "base/text.hpp"

namespace triggerd::admin {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using Socket = asio::generic::stream_protocol::socket;

class Connection;

using Connections = std::list<std::shared_ptr<Connection>>;

// The connections of one listener, which share its bounds. The newest is at the end.
struct ConnectionSet {
  Connections connections;
  Connections reserve;  // those for which there was no place among the others
};

// A connection's place among those of its listener: while it has one, it is not destroyed.
class Place {
 public:
  explicit Place(Connections& among) : among_(among) {}

  void take(std::shared_ptr<Connection> connection) {
    at_ = among_.insert(among_.end(), std::move(connection));
  }
  // What kept the connection from being destroyed; null if it had no place.
  std::shared_ptr<Connection> give_up() {
    if (!at_) return nullptr;
    auto kept = std::move(**at_);
    among_.erase(*at_);
    at_.reset();
    return kept;
  }

 private:
  Connections& among_;
  std::optional<Connections::iterator> at_;
};

// What is known of whoever has connected.
struct Peer {
  Via via = Via::elsewhere;
  std::string name;
  bool is_own_user = false;
};

struct Shared {
  asio::io_context io{1};
  Application* application = nullptr;
  Log* log = nullptr;
  ServerTimes times;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  // `reserved`: it is for express requests alone.
  Connection(std::shared_ptr<Shared> shared, Connections& among, Socket socket, Peer peer,
             bool reserved)
      : shared_(std::move(shared)),
        place_(among),
        socket_(std::move(socket)),
        timer_(shared_->io),
        comment_(shared_->io),
        peer_(std::move(peer)),
        reserved_(reserved) {}

  void enter() {
    place_.take(shared_from_this());
    read_request(shared_->times.header);
  }

  // Its request is not whole: nothing of it has been given to anybody.
  bool is_waiting() const { return waiting_; }
  Monotonic waiting_since() const { return waiting_since_; }

  void close() {
    if (closed_) return;
    closed_ = true;
    const auto until_closed = place_.give_up();
    error_code ignored;
    socket_.close(ignored);
    timer_.cancel();
    comment_.cancel();
    if (stream_) {
      stream_->on_wake(nullptr);
      stream_->close();
    }
  }

 private:
  void expire_after(Millis time) {
    timer_.expires_after(time);
    timer_.async_wait([self = shared_from_this()](error_code error) {
      // It may have been set anew after this was queued.
      if (error || self->timer_.expiry() > std::chrono::steady_clock::now()) return;
      self->expired();
    });
  }

  void expired() {
    // Whoever has sent something is told; whoever has not is not there.
    if (reading_ && (buffer_.size() > 0 || parser_->is_header_done())) {
      reading_ = false;
      error_code ignored;
      socket_.cancel(ignored);
      refuse_and_close(problem(408, "the request took too long to arrive"));
      return;
    }
    close();
  }

  void read_request(Millis patience) {
    waiting_ = true;
    searched_ = 0;
    waiting_since_ = std::chrono::steady_clock::now();
    parser_.emplace();
    parser_->header_limit(kHeaderBytes);
    parser_->body_limit(kBodyBytes);
    expire_after(patience);
    if (buffer_.size() > 0) {
      read_header();
      return;
    }
    socket_.async_wait(Socket::wait_read, [self = shared_from_this()](error_code error) {
      if (error || self->closed_) return self->close();
      self->expire_after(self->shared_->times.header);
      self->read_header();
    });
  }

  std::string_view received() const {
    const auto bytes = buffer_.cdata();
    return {static_cast<const char*>(bytes.data()), bytes.size()};
  }

  // The head is looked at as it came before the library parses it: the library accepts what a
  // server in front of this one may read otherwise.
  void read_header() {
    reading_ = true;
    // Empty lines before it may come in pieces.
    if (searched_ < 2) buffer_.consume(blank_lines_before(received()));
    const std::size_t end = end_of_head(received(), searched_);
    if (end != std::string_view::npos) return parse_header(end);
    searched_ = buffer_.size();
    if (searched_ >= kHeaderBytes) return got_header(http::error::header_limit);
    socket_.async_read_some(buffer_.prepare(kHeaderBytes - searched_),
                            [self = shared_from_this()](error_code error, std::size_t got) {
                              if (self->closed_ || !self->reading_) return;
                              self->buffer_.commit(got);
                              if (error) return self->got_header(error);
                              self->read_header();
                            });
  }

  void parse_header(std::size_t end) {
    if (const auto fault = fault_of_head(received().substr(0, end))) {
      reading_ = false;
      return refuse_and_close(problem(400, *fault));
    }
    error_code error;
    buffer_.consume(parser_->put(buffer_.cdata(), error));
    if (!error && !parser_->is_header_done()) error = http::error::bad_line_ending;
    got_header(error);
  }

  void got_header(error_code error) {
    if (closed_ || !reading_) return;
    reading_ = false;
    if (error) return read_failed(error);
    const auto& message = parser_->get();
    request_ = Request();
    request_.via = peer_.via;
    request_.peer = peer_.name;
    request_.is_own_user = peer_.is_own_user;
    request_.method = std::string(message.method_string());
    keep_alive_ = message.keep_alive() && !reserved_;
    is_head_ = message.method() == http::verb::head;
    for (const auto& field : message) {
      std::string name = lower_case({field.name_string().data(), field.name_string().size()});
      const auto [at, fresh] =
          request_.headers.emplace(std::move(name), std::string(field.value()));
      // One of two values would be believed by us and the other by whoever is in front of us.
      if (!fresh &&
          (at->first == "host" || at->first == "authorization" || at->first == "content-length" ||
           at->first == "transfer-encoding" || at->first == "origin")) {
        return refuse_and_close(problem(400, fmt::format("duplicate {} header", at->first)));
      }
    }
    const std::string_view target(message.target().data(), message.target().size());
    if (!parse_target(target, request_)) {
      return refuse_and_close(problem(400, "the request's target is not a path"));
    }
    // An unknown coding leaves no way to say where the body ends, and the rest of it would be read
    // as the next request.
    if (const auto codings = request_.headers.find("transfer-encoding");
        codings != request_.headers.end()) {
      if (const auto fault = fault_of_codings(codings->second, message.version())) {
        return refuse_and_close(problem(400, *fault));
      }
    }
    request_.has_body = parser_->chunked() || parser_->content_length().value_or(0) > 0;
    if (parser_->content_length().value_or(0) > kBodyBytes) {
      return refuse_and_close(problem(413, fmt::format("the body exceeds {} bytes", kBodyBytes)));
    }
    if (auto refused = shared_->application->refuse(request_)) {
      if (request_.has_body) return refuse_and_close(std::move(*refused));
      waiting_ = false;
      return send(std::move(*refused));
    }
    if (reserved_ && !shared_->application->is_express(request_)) {
      return refuse_and_close(problem(503, "all connections are in use; try again later"));
    }
    expire_after(shared_->times.body);
    if (http::token_list(message[http::field::expect]).exists("100-continue") &&
        !parser_->is_done()) {
      asio::async_write(socket_, asio::buffer(kContinue.data(), kContinue.size()),
                        [self = shared_from_this()](error_code failed, std::size_t) {
                          if (failed || self->closed_) return self->close();
                          self->read_body();
                        });
      return;
    }
    read_body();
  }

  void read_body() {
    reading_ = true;
    http::async_read(
        socket_, buffer_, *parser_,
        [self = shared_from_this()](error_code error, std::size_t) { self->got_body(error); });
  }

  void got_body(error_code error) {
    if (closed_ || !reading_) return;
    reading_ = false;
    if (error) return read_failed(error);
    waiting_ = false;
    timer_.cancel();
    request_.body = std::move(parser_->get().body());
    // The connection stays where it is while a worker has the request: nothing is read meanwhile.
    shared_->application->answer(
        std::move(request_),
        // Until it is closed, its place keeps it.
        [weak = weak_from_this(), shared = std::weak_ptr(shared_)](Reply reply) {
          const auto alive = shared.lock();
          if (!alive) return;
          asio::post(alive->io, [weak, answer = std::move(reply)]() mutable {
            const auto self = weak.lock();
            if (self && !self->closed_) self->send(std::move(answer));
          });
        });
  }

  void read_failed(error_code error) {
    if (error == http::error::header_limit) {
      return refuse_and_close(
          problem(431, fmt::format("request line and headers exceed {} bytes", kHeaderBytes)));
    }
    if (error == http::error::body_limit) {
      return refuse_and_close(problem(413, fmt::format("the body exceeds {} bytes", kBodyBytes)));
    }
    // The library's own errors are about what was sent; all others are about the connection.
    if (error.category() == http::make_error_code(http::error::bad_method).category() &&
        error != http::error::end_of_stream && error != http::error::partial_message) {
      return refuse_and_close(problem(400, "malformed HTTP request: " + error.message()));
    }
    close();
  }

  // Closing at once with something unread would make the kernel throw the reply away.
  void refuse_and_close(Reply reply) {
    keep_alive_ = false;
    linger_ = true;
    waiting_ = false;
    send(std::move(reply));
  }

  void send(Reply reply) {
    stream_ = std::move(reply.stream);
    response_ = {};
    response_.version(11);
    response_.result(static_cast<unsigned>(reply.status));
    response_.set(http::field::server, "triggerd");
    if (!reply.content_type.empty()) response_.set(http::field::content_type, reply.content_type);
    for (const auto& [name, value] : reply.headers) response_.set(name, value);
    response_.keep_alive(keep_alive_ && !stream_);
    if (!stream_ && reply.status != 204 && reply.status != 304) {
      response_.content_length(reply.body.size());
    }
    if (!is_head_) response_.body() = std::move(reply.body);
    serializer_.emplace(response_);
    expire_after(shared_->times.reply);
    const auto sent = [self = shared_from_this()](error_code error, std::size_t) {
      if (error || self->closed_) return self->close();
      self->was_sent();
    };
    // A stream's body, and that of a HEAD, is not in what is sent here.
    if (stream_ || is_head_) {
      http::async_write_header(socket_, *serializer_, sent);
    } else {
      http::async_write(socket_, *serializer_, sent);
    }
  }

  void was_sent() {
    timer_.cancel();
    if (stream_ && !is_head_) return begin_stream();
    if (stream_) return close();
    if (keep_alive_) return read_request(shared_->times.idle);
    if (!linger_) return close();
    error_code ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
    expire_after(Millis(2'000));
    linger(0);
  }

  void linger(std::size_t thrown_away) {
    if (thrown_away > 2 * kBodyBytes) return close();
    socket_.async_read_some(asio::buffer(scratch_), [self = shared_from_this(), thrown_away](
                                                        error_code error, std::size_t got) {
      if (error || self->closed_) return self->close();
      self->linger(thrown_away + got);
    });
  }

  void begin_stream() {
    stream_->on_wake([weak = weak_from_this(), shared = std::weak_ptr(shared_)] {
      const auto alive = shared.lock();
      if (!alive) return;
      asio::post(alive->io, [weak] {
        if (const auto self = weak.lock()) self->pump();
      });
    });
    arm_comment();
    watch_for_end();
  }

  // A client of a stream has nothing more to say, so what can be read is its end.
  void watch_for_end() {
    socket_.async_read_some(asio::buffer(scratch_),
                            [self = shared_from_this()](error_code error, std::size_t) {
                              if (error || self->closed_) return self->close();
                              self->watch_for_end();
                            });
  }

  void arm_comment() {
    comment_.expires_after(shared_->times.comment);
    comment_.async_wait([self = shared_from_this()](error_code error) {
      if (error || self->closed_ || self->writing_) return;
      self->write_stream(": nothing happened\n\n");
    });
  }

  void pump() {
    if (closed_ || writing_) return;
    std::string text = stream_->take();
    if (text.empty()) {
      if (stream_->closed()) close();
      return;
    }
    write_stream(std::move(text));
  }

  void write_stream(std::string text) {
    writing_ = true;
    chunk_ = std::move(text);
    expire_after(shared_->times.stream);
    asio::async_write(socket_, asio::buffer(chunk_),
                      [self = shared_from_this()](error_code error, std::size_t) {
                        if (error || self->closed_) return self->close();
                        self->writing_ = false;
                        self->timer_.cancel();
                        self->arm_comment();
                        self->pump();
                      });
  }

  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

  const std::shared_ptr<Shared> shared_;
  Place place_;
  Socket socket_;
  asio::steady_timer timer_;
  asio::steady_timer comment_;
  const Peer peer_;
  const bool reserved_;
  bool closed_ = false;
  bool waiting_ = false;
  bool reading_ = false;
  bool keep_alive_ = false;
  bool is_head_ = false;
  bool linger_ = false;
  bool writing_ = false;
  Monotonic waiting_since_{};
  std::size_t searched_ = 0;  // of the buffer, for the end of the head
  beast::flat_buffer buffer_{kHeaderBytes + 4096};
  std::optional<http::request_parser<http::string_body>> parser_;
  Request request_;
  http::response<http::string_body> response_;
  std::optional<http::response_serializer<http::string_body>> serializer_;
  std::shared_ptr<EventStream> stream_;
  std::string chunk_;
  std::array<char, 4096> scratch_{};
};

class AsioServer final : public Server {
 public:
  AsioServer(Application& application, Log& log, const ServerTimes& times)
      : shared_(std::make_shared<Shared>()), tcp_(shared_->io), unix_(shared_->io) {
    shared_->application = &application;
    shared_->log = &log;
    shared_->times = times;
  }
  ~AsioServer() override { stop(); }

  Result<> listen_tcp(const std::string& host, std::uint16_t port) override {
    error_code error;
    asio::ip::tcp::resolver resolver(shared_->io);
    const auto found =
        resolver.resolve(host, std::to_string(port), asio::ip::tcp::resolver::passive, error);
    if (error || found.empty()) {
      return fail("cannot listen on {}:{} ([admin] listen): {}", host, port, error.message());
    }
    // Of the addresses of a name, an IPv4 one where there is one: "localhost" is 127.0.0.1.
    asio::ip::tcp::endpoint endpoint = found.begin()->endpoint();
    for (const auto& entry : found) {
      if (entry.endpoint().address().is_v4()) {
        endpoint = entry.endpoint();
        break;
      }
    }
    const asio::ip::address address = endpoint.address();
    loopback_ = address.is_loopback();
    tcp_.open(endpoint.protocol(), error);
    if (!error) tcp_.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) tcp_.bind(endpoint, error);
    if (!error) tcp_.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
      const bool taken = error == boost::system::errc::address_in_use;
      return fail("cannot listen on {}:{} ([admin] listen): {}{}", host, port, error.message(),
                  taken ? "; another program is using it: stop that program, write another port, "
                          "or \"\" for none"
                        : "");
    }
    port_ = tcp_.local_endpoint(error).port();
    has_tcp_ = true;
    return {};
  }

  Result<> listen_unix(UniqueFd listening) override {
    error_code error;
    const int fd = ::fcntl(listening.get(), F_DUPFD_CLOEXEC, 0);
    unix_.assign(asio::local::stream_protocol(), fd, error);
    if (error) return fail("cannot listen ([admin] socket): {}", error.message());
    has_unix_ = true;
    return {};
  }

  void start() override {
    if (has_tcp_) accept_tcp();
    if (has_unix_) accept_unix();
    work_.emplace(shared_->io.get_executor());
    thread_ = std::thread([this] {
      become_background("admin-http");
      shared_->io.run();
    });
  }

  void stop() override {
    if (!thread_.joinable()) return;
    asio::post(shared_->io, [this] {
      error_code ignored;
      tcp_.close(ignored);
      unix_.close(ignored);
      for (Connections* all : {&tcp_connections_.connections, &tcp_connections_.reserve,
                               &unix_connections_.connections, &unix_connections_.reserve}) {
        while (!all->empty()) all->front()->close();
      }
      work_.reset();  // run() ends when everything has heard of its end
    });
    thread_.join();
  }

  std::uint16_t port() const override { return port_; }
  bool listens_on_loopback() const override { return loopback_; }

 private:
  void accept_tcp() {
    tcp_.async_accept([this](error_code error, asio::ip::tcp::socket socket) {
      if (!tcp_.is_open()) return;
      if (!error) {
        error_code ignored;
        Peer peer;
        peer.name = socket.remote_endpoint(ignored).address().to_string();
        if (loopback_) {
          peer.via = Via::loopback;
          if (const auto user = peer_user(socket.native_handle())) {
            peer.name += fmt::format(" uid {}", *user);
            peer.is_own_user = is_own_user(*user);
          }
        }
        socket.set_option(asio::ip::tcp::no_delay(true), ignored);
        admit(tcp_connections_, Socket(std::move(socket)), std::move(peer));
      }
      again(error, [this] { accept_tcp(); });
    });
  }

  void accept_unix() {
    unix_.async_accept([this](error_code error, asio::local::stream_protocol::socket socket) {
      if (!unix_.is_open()) return;
      if (!error) {
        ucred who{};
        socklen_t size = sizeof who;
        Peer peer{.via = Via::unix_socket, .name = "unknown"};
        if (::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &who, &size) == 0) {
          peer.name = fmt::format("uid {}", who.uid);
        }
        admit(unix_connections_, Socket(std::move(socket)), std::move(peer));
      }
      again(error, [this] { accept_unix(); });
    });
  }

  // Out of descriptors, asking again at once would be a busy loop.
  void again(error_code error, std::function<void()> accept) {
    if (!error) return accept();
    if (error != asio::error::connection_aborted) {
      shared_->log->warn("admin.accept", {}, "cannot accept a connection: {}", error.message());
    }
    auto timer = std::make_shared<asio::steady_timer>(shared_->io, Millis(200));
    timer->async_wait([timer, next = std::move(accept)](error_code cancelled) {
      if (!cancelled) next();
    });
  }

  // The one that has waited longest for the rest of its request; null: none waits.
  static std::shared_ptr<Connection> longest_waiting(const Connections& among) {
    std::shared_ptr<Connection> longest;
    for (const auto& connection : among) {
      if (connection->is_waiting() &&
          (!longest || connection->waiting_since() < longest->waiting_since())) {
        longest = connection;
      }
    }
    return longest;
  }

  void admit(ConnectionSet& set, Socket socket, Peer peer) {
    bool reserved = false;
    if (set.connections.size() >= kConnections) {
      if (const auto longest = longest_waiting(set.connections)) {
        longest->close();
      } else {
        reserved = true;  // all of them are being answered
      }
    }
    // In the reserve nobody has a right to stay: the next one may be a probe.
    if (reserved && set.reserve.size() >= kReserve) {
      const auto longest = longest_waiting(set.reserve);
      (longest ? longest : set.reserve.front())->close();
    }
    std::make_shared<Connection>(shared_, reserved ? set.reserve : set.connections,
                                 std::move(socket), std::move(peer), reserved)
        ->enter();
  }

  const std::shared_ptr<Shared> shared_;
  asio::ip::tcp::acceptor tcp_;
  asio::local::stream_protocol::acceptor unix_;
  ConnectionSet tcp_connections_;
  ConnectionSet unix_connections_;
  bool has_tcp_ = false;
  bool has_unix_ = false;
  bool loopback_ = false;
  std::uint16_t port_ = 0;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Server> Server::make(Application& application, Log& log, const ServerTimes& times) {
  return std::make_unique<AsioServer>(application, log, times);
}

}  // namespace triggerd::admin
