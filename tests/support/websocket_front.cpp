#include "support/websocket_front.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <random>
#include <stdexcept>
#include <utility>

#include "support/port.hpp"

namespace triggerd::test {
namespace {

using namespace websocket;

constexpr std::size_t kRead = std::size_t{64} * 1024;
constexpr std::string_view kAccepts = "HTTP/1.1 101";

void must(bool good, const char* what) {
  if (!good) throw std::runtime_error(std::string("WebSocketFront: ") + what);
}

std::string number(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i) & 0xff);
  return text;
}

std::string accept_of(const std::string& request) {
  const std::string name = "Sec-WebSocket-Key: ";
  const std::size_t at = request.find(name);
  if (at == std::string::npos) return "";
  const std::string rest = request.substr(at + name.size());
  const std::string key = rest.substr(0, rest.find('\r')) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(key.data(), key.size(), digest, &size, EVP_sha1(), nullptr);
  unsigned char text[64];
  const int length = EVP_EncodeBlock(text, digest, static_cast<int>(size));
  return {reinterpret_cast<const char*>(text), static_cast<std::size_t>(length)};
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

struct ClientFrame {
  std::uint8_t first = 0;
  std::string payload;
  std::size_t size = 0;  // on the wire
};

// The frame that `bytes` begin with; nullopt where it is not all there. Masks are taken off.
std::optional<ClientFrame> client_frame(std::string_view bytes) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  if (bytes.size() < 2) return std::nullopt;
  std::size_t length = byte(1) & 0x7fU;
  const std::size_t wide = length == 126 ? 2 : length == 127 ? 8 : 0;
  if (bytes.size() < 6 + wide) return std::nullopt;
  if (wide != 0) length = 0;
  for (std::size_t i = 0; i < wide; ++i) length = length << 8U | byte(2 + i);
  if (bytes.size() < 6 + wide + length) return std::nullopt;
  ClientFrame frame{byte(0), std::string(bytes.substr(6 + wide, length)), 6 + wide + length};
  for (std::size_t i = 0; i < length; ++i) {
    frame.payload[i] = static_cast<char>(frame.payload[i] ^ bytes[2 + wide + i % 4]);
  }
  return frame;
}

std::string fragments(std::string_view bytes, std::size_t size, const std::string& between) {
  std::string frames;
  for (bool first = true; first || !bytes.empty(); first = false) {
    const std::string_view one = bytes.substr(0, size);
    bytes.remove_prefix(one.size());
    const bool last = bytes.empty();
    const std::uint8_t begins = last ? kBinary : kBegins;
    frames += server_frame(first ? begins : (last ? kGoesOnEnd : kGoesOn), one);
    if (!last) frames += between;
  }
  return frames;
}

}  // namespace

std::string server_frame(std::uint8_t first, std::string_view payload) {
  std::string frame(1, static_cast<char>(first));
  if (payload.size() < 126) {
    frame += number(payload.size(), 1);
  } else if (payload.size() <= UINT16_MAX) {
    frame += "\x7e" + number(payload.size(), 2);
  } else {
    frame += "\x7f" + number(payload.size(), 8);
  }
  return frame.append(payload);
}

std::string server_close(std::uint16_t code, std::string_view reason) {
  return server_frame(kClose, number(code, 2).append(reason));
}

std::string upgrade_answer(const std::string& accept, const std::string& more) {
  return std::string(kAccepts) +
         " Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: " +
         accept + "\r\nSec-WebSocket-Protocol: mqtt\r\n" + more + "\r\n";
}

FramerOf in_frames_of(std::size_t size) {
  return [size](std::size_t) {
    return [size](std::string_view bytes) {
      std::string frames;
      for (; !bytes.empty(); bytes.remove_prefix(std::min(size, bytes.size()))) {
        frames += server_frame(kBinary, bytes.substr(0, size));
      }
      return frames;
    };
  };
}

FramerOf in_fragments_of(std::size_t size, const std::string& between) {
  return [=](std::size_t) {
    return [=](std::string_view bytes) { return fragments(bytes, size, between); };
  };
}

FramerOf in_any_frames() {
  return [](std::size_t connection) {
    return
        [random = std::mt19937(static_cast<unsigned>(connection))](std::string_view bytes) mutable {
          std::string frames;
          while (!bytes.empty()) {
            constexpr std::size_t kSizes[] = {0, 1, 2, 3, 100, 126, 1000, 5000, 65536, 100'000};
            const std::string_view message = bytes.substr(0, kSizes[random() % std::size(kSizes)]);
            bytes.remove_prefix(message.size());
            const std::size_t size = std::max<std::size_t>(message.size() / (random() % 4 + 1), 1);
            const std::string ping = random() % 4 == 0 ? server_frame(kPing, "between") : "";
            frames += fragments(message, size, ping);
          }
          return frames;
        };
  };
}

struct WebSocketFront::Connection {
  UniqueFd client;
  UniqueFd mqtt;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl{nullptr, &SSL_free};
  std::size_t number = 0;
  int wake = -1;
  std::string input;
  std::thread thread;
};

WebSocketFront::WebSocketFront(WebSocketFrontOptions options)
    : options_(std::move(options)),
      context_(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free),
      listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  std::signal(SIGPIPE, SIG_IGN);
  if (options_.identity) {
    must(SSL_CTX_use_certificate(context_.get(), options_.identity->certificate.get()) == 1 &&
             SSL_CTX_use_PrivateKey(context_.get(), options_.identity->key.get()) == 1,
         "its certificate");
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  must(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0 &&
           ::listen(listener_.get(), 64) == 0 &&
           ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0,
       "listen");
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept(); });
}

// Sockets are shut down and not closed while threads use them.
WebSocketFront::~WebSocketFront() {
  {
    MutexLock lock(mutex_);
    ending_ = true;
  }
  ::shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  std::vector<std::unique_ptr<Connection>> all;
  {
    MutexLock lock(mutex_);
    all.swap(connections_);
    for (const auto& connection : all) {
      ::shutdown(connection->client.get(), SHUT_RDWR);
      if (connection->mqtt) ::shutdown(connection->mqtt.get(), SHUT_RDWR);
    }
  }
  for (const auto& connection : all) connection->thread.join();
}

std::size_t WebSocketFront::upgraded() const {
  MutexLock lock(mutex_);
  return waiting_.size();
}

void WebSocketFront::send(std::size_t connection, const std::string& bytes) {
  MutexLock lock(mutex_);
  Waiting& waiting = waiting_.at(connection);
  waiting.bytes += bytes;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t told = ::write(waiting.wake.get(), &one, sizeof one);
}

std::optional<ControlFrame> WebSocketFront::wait_for(
    const std::function<bool(const ControlFrame&)>& suits, Millis timeout) {
  std::optional<ControlFrame> found;
  (void)eventually(
      [&] {
        MutexLock lock(mutex_);
        const auto one = std::find_if(controls_.begin(), controls_.end(), suits);
        if (one != controls_.end()) found = *one;
        return found.has_value();
      },
      timeout);
  return found;
}

std::string WebSocketFront::fault() const {
  MutexLock lock(mutex_);
  return fault_;
}

void WebSocketFront::accept() {
  for (;;) {
    UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    MutexLock lock(mutex_);
    if (ending_) return;
    if (!fd) continue;
    const int yes = 1;  // pieces are to be segments
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    auto connection = std::make_unique<Connection>();
    connection->client = std::move(fd);
    if (options_.identity) {
      connection->ssl.reset(SSL_new(context_.get()));
      SSL_set_fd(connection->ssl.get(), connection->client.get());
    }
    connections_.push_back(std::move(connection));
    Connection& placed = *connections_.back();
    placed.thread = std::thread([this, &placed] { serve(placed); });
  }
}

void WebSocketFront::serve(Connection& connection) {
  const bool secured = !connection.ssl || SSL_accept(connection.ssl.get()) == 1;
  if (secured && upgrade(connection)) carry(connection);
  if (connection.ssl) SSL_shutdown(connection.ssl.get());
  ::shutdown(connection.client.get(), SHUT_RDWR);
  if (connection.mqtt) ::shutdown(connection.mqtt.get(), SHUT_RDWR);
}

bool WebSocketFront::upgrade(Connection& connection) {
  std::size_t end = std::string::npos;
  while (end == std::string::npos) {
    if (!read_client(connection)) return false;
    end = connection.input.find("\r\n\r\n");
  }
  const std::string accept = accept_of(connection.input.substr(0, end + 2));
  connection.input.erase(0, end + 4);
  const std::vector<std::string> pieces =
      options_.answer ? options_.answer(accept) : std::vector{upgrade_answer(accept)};
  const bool accepts = pieces.at(0).size() < kAccepts.size() ||
                       std::string_view(pieces.at(0)).starts_with(kAccepts) ||
                       std::string_view(pieces.at(0)).starts_with("HTTP/1.1 10");
  if (accepts) {
    UniqueFd wake(::eventfd(0, EFD_CLOEXEC));
    MutexLock lock(mutex_);
    if (ending_) return false;
    // Under the lock, so that the MQTT server counts its connections in the same order.
    connection.mqtt = connect_loopback(options_.mqtt_port, Millis(0));  // 0: for ever
    if (!connection.mqtt) return false;
    connection.wake = wake.get();
    connection.number = waiting_.size();
    waiting_.push_back({std::move(wake), ""});
  }
  for (const std::string& piece : pieces) {
    if (&piece != &pieces.front()) std::this_thread::sleep_for(Millis(2));
    if (!write_client(connection, piece)) return false;
  }
  return accepts;
}

// Between the two, until either ends.
void WebSocketFront::carry(Connection& connection) {
  const Framer framer = options_.framer(connection.number);
  std::string buffer(kRead, '\0');
  if (!take_frames(connection)) return;
  for (;;) {
    const bool buffered = connection.ssl && SSL_pending(connection.ssl.get()) > 0;
    pollfd waits[] = {{connection.client.get(), POLLIN, 0},
                      {connection.mqtt.get(), POLLIN, 0},
                      {connection.wake, POLLIN, 0}};
    if (::poll(waits, std::size(waits), buffered ? 0 : -1) < 0) return;
    if (waits[2].revents != 0) {
      std::string bytes;
      std::uint64_t ignored = 0;
      {
        MutexLock lock(mutex_);
        [[maybe_unused]] const ssize_t got = ::read(connection.wake, &ignored, sizeof ignored);
        bytes.swap(waiting_[connection.number].bytes);
      }
      if (!write_client(connection, bytes)) return;
    }
    if (buffered || waits[0].revents != 0) {
      if (!read_client(connection) || !take_frames(connection)) return;
    }
    if (waits[1].revents != 0) {
      const ssize_t got = ::recv(connection.mqtt.get(), buffer.data(), buffer.size(), 0);
      if (got <= 0) return;
      const std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
      if (!write_client(connection, framer(bytes))) return;
    }
  }
}

bool WebSocketFront::read_client(Connection& connection) {
  char piece[16384];
  const ssize_t got = connection.ssl ? SSL_read(connection.ssl.get(), piece, sizeof piece)
                                     : ::recv(connection.client.get(), piece, sizeof piece, 0);
  if (got <= 0) return false;
  connection.input.append(piece, static_cast<std::size_t>(got));
  return true;
}

bool WebSocketFront::write_client(Connection& connection, std::string_view bytes) {
  if (!connection.ssl) return write_all(connection.client.get(), bytes);
  return bytes.empty() ||
         SSL_write(connection.ssl.get(), bytes.data(), static_cast<int>(bytes.size())) > 0;
}

bool WebSocketFront::take_frames(Connection& connection) {
  while (const auto frame = client_frame(connection.input)) {
    const bool masked = (connection.input[1] & 0x80) != 0;
    connection.input.erase(0, frame->size);
    if (frame->first == kBinary && masked) {
      if (!write_all(connection.mqtt.get(), frame->payload)) return false;
      continue;
    }
    const bool known = frame->first == kPing || frame->first == kPong || frame->first == kClose;
    {
      MutexLock lock(mutex_);
      if (!known || !masked) fault_ = "a frame that a client does not send";
      controls_.push_back({connection.number, frame->first, frame->payload});
    }
    if (frame->first == kClose) return false;
  }
  return true;
}

}  // namespace triggerd::test
