// The functions that stand between the MQTT library and the system. The linker makes the library
// call these names instead (wire.cmake); no other code of the program is affected.
#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string_view>
#include <utility>

#include "mqtt/wire/dial.hpp"
#include "mqtt/wire/receiver.hpp"
#include "mqtt/wire/table.hpp"
#include "mqtt/wire/wire.hpp"

// NOLINTBEGIN(bugprone-reserved-identifier): the linker chose the prefix.

namespace triggerd::mqtt::wire {
namespace {

std::atomic<void (*)(const std::string&)> error_report{nullptr};

// The library asks for the error of its last call on an SSL object, and by then another thread may
// have used the object.
struct LastTls {
  const SSL* ssl = nullptr;
  int result = 0;
  int error = SSL_ERROR_NONE;
};
thread_local LastTls last_tls;

// A log level of Paho; below it there is tracing, with a message for every packet.
constexpr int kErrorLevel = 5;

// Mostly it is the object of the previous call. A link goes before its SSL object is freed, so a
// live link proves that the address was not reused for another object.
Link& link_of_tls(const SSL* ssl) {
  thread_local const SSL* last = nullptr;
  thread_local std::shared_ptr<Link> link;
  if (last != ssl || link->gone()) {
    link = link_of(SSL_get_fd(ssl));
    last = ssl;
  }
  return *link;
}

}  // namespace

void report_errors_to(void (*report)(const std::string& text)) {
  error_report = report;
}

// The library looks a name up and then makes the socket, on the same thread.
thread_local std::shared_ptr<const Dial> looked_up;

}  // namespace triggerd::mqtt::wire

extern "C" {

using triggerd::mqtt::wire::find_link;
using triggerd::mqtt::wire::last_tls;
using triggerd::mqtt::wire::Link;
using triggerd::mqtt::wire::link_of;
using triggerd::mqtt::wire::link_of_tls;
using triggerd::mqtt::wire::looked_up;
using triggerd::mqtt::wire::Receiver;

// When a socket fails, the library notes its number, and looks for the connection with that number
// later: by then the number may belong to another one. So a number is not used again soon.
int __wrap_socket(int domain, int type, int protocol) {
  static constexpr int kFirst = 256;
  static constexpr int kNumbers = 512;
  static std::atomic<unsigned> last{0};
  const int lowest = ::socket(domain, type, protocol);
  if (lowest < 0) return lowest;
  const int number = kFirst + static_cast<int>(last.fetch_add(1) % kNumbers);
  const int moved = ::fcntl(lowest, F_DUPFD_CLOEXEC, number);
  if (moved < 0) return lowest;  // the process may not have that many
  ::close(lowest);
  return moved;
}

int __wrap_connect(int fd, const sockaddr* address, socklen_t length) {
  if (auto dial = std::exchange(looked_up, nullptr)) {
    const auto link = std::make_shared<Link>(fd);
    link->carry(dial);
    if (dial->sink) dial->sink->on_link(link);
    triggerd::mqtt::wire::add_link(link);
  } else {
    link_of(fd);
  }
  const int result = ::connect(fd, address, length);
  const int error = errno;
  // The receive thread may be waiting, and does not know of this connection.
  triggerd::mqtt::wire::wake_library();
  errno = error;
  return result;
}

int __wrap_getaddrinfo(const char* host, const char* service, const addrinfo* hints,
                       addrinfo** found) {
  const std::string_view name = host == nullptr ? "" : host;
  looked_up = triggerd::mqtt::wire::find_dial(name);
  if (!looked_up && triggerd::mqtt::wire::is_dial_name(name)) return EAI_NONAME;  // given up
  return ::getaddrinfo(looked_up ? looked_up->address.c_str() : host, service, hints, found);
}

ssize_t __wrap_recv(int fd, void* to, size_t size, int flags) {
  if (size == 0 || flags != 0) return ::recv(fd, to, size, flags);
  return link_of(fd)->read(to, size);
}

ssize_t __wrap_writev(int fd, const iovec* parts, int count) {
  return link_of(fd)->write(parts, count);
}

int __wrap_poll(pollfd* fds, nfds_t count, int timeout_ms) {
  return Receiver::of_this_thread().poll(fds, count, timeout_ms);
}

int __wrap_close(int fd) {
  triggerd::mqtt::wire::forget_link(fd);
  return ::close(fd);
}

int __wrap_usleep(useconds_t time) {
  if (Receiver::is_receive_thread()) {
    Receiver::of_this_thread().sleep(static_cast<int>(time / 1000));
    return 0;
  }
  const timespec wait{.tv_sec = static_cast<time_t>(time / 1'000'000),
                      .tv_nsec = static_cast<long>(time % 1'000'000) * 1000};
  return ::nanosleep(&wait, nullptr);
}

// The library clears OpenSSL's errors before each byte that it reads, though most bytes have been
// read here already. The calls that do reach OpenSSL clear them instead.
void __wrap_ERR_clear_error() {}

int __wrap_SSL_connect(SSL* ssl) {
  last_tls.ssl = ssl;
  last_tls.result = link_of_tls(ssl).connect_tls(ssl, last_tls.error);
  return last_tls.result;
}

int __wrap_SSL_read(SSL* ssl, void* to, int size) {
  last_tls.ssl = ssl;
  last_tls.result = link_of_tls(ssl).read_tls(to, size, last_tls.error);
  return last_tls.result;
}

int __wrap_SSL_write(SSL* ssl, const void* from, int size) {
  last_tls.ssl = ssl;
  last_tls.result = link_of_tls(ssl).write_tls(ssl, from, size, last_tls.error);
  return last_tls.result;
}

// The wrapped poll(2) tells the library when it has something to read.
int __wrap_SSL_pending(const SSL*) {
  return 0;
}

int __wrap_SSL_get_error(const SSL* ssl, int result) {
  const bool ours = last_tls.ssl == ssl && last_tls.result == result;
  last_tls.ssl = nullptr;
  return ours ? last_tls.error : SSL_get_error(ssl, result);
}

// The library frees the object next, and closes the descriptor only then.
int __wrap_SSL_shutdown(SSL* ssl) {
  if (const auto link = find_link(SSL_get_fd(ssl))) link->shut_down();
  return SSL_shutdown(ssl);
}

// The library's tracing and heap tracking would cost 165 locks and 12 allocations for each message.
void __wrap_StackTrace_entry(const char*, int, int) {}
void __wrap_StackTrace_exit(const char*, int, void*, int) {}
// All that the library's callback does is trace each TLS record; and all threads write the name of
// the TLS version into the same buffer.
void __wrap_SSL_CTX_set_msg_callback(SSL_CTX*, void (*)(int, int, int, const void*, std::size_t,
                                                        SSL*, void*)) {}
void* __wrap_mymalloc(char*, int, size_t size) {
  return std::malloc(size);
}
void* __wrap_myrealloc(char*, int, void* memory, size_t size) {
  return std::realloc(memory, size);
}
void __wrap_myfree(char*, int, void* memory) {
  std::free(memory);
}
void __wrap_Log(int level, int number, const char* format, ...) {
  const auto report = triggerd::mqtt::wire::error_report.load();
  if (level < triggerd::mqtt::wire::kErrorLevel || report == nullptr) return;
  char text[512];
  if (format == nullptr) {
    std::snprintf(text, sizeof text, "message number %d of the MQTT library", number);
  } else {
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
  }
  report(text);
}

}  // extern "C"

// NOLINTEND(bugprone-reserved-identifier)
