#include "publish/publisher.hpp"

#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "common/contender.hpp"
#include "common/stamp.hpp"

namespace bench {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;
constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kLastAcknowledgements = 5 * kSecond;

}  // namespace

Publisher::Publisher(const PublishOptions& options, unsigned number)
    : options_(options), topic_("bench/" + std::to_string(number)), random_(number + 7) {
  const std::string id =
      "bench-publish-" + std::to_string(::getpid()) + "-" + std::to_string(number);
  client_.reset(mosquitto_new(id.c_str(), true, this));
  if (!client_) give_up("libmosquitto makes no client");
  mosquitto_connect_callback_set(client_.get(), on_connect);
  mosquitto_publish_callback_set(client_.get(), on_publish);
  mosquitto_max_inflight_messages_set(client_.get(), 0);  // what is due leaves
  mosquitto_int_option(client_.get(), MOSQ_OPT_TCP_NODELAY, 1);
  if (!options_.tls_ca.empty()) {
    check(mosquitto_tls_set(client_.get(), options_.tls_ca.c_str(), nullptr, nullptr, nullptr,
                            nullptr),
          "cannot use the certificate of --tls-ca");
  }
  check(mosquitto_connect(client_.get(), options_.host.c_str(), options_.port, 60),
        "cannot connect");
  const std::uint64_t patience = monotonic_ns() + kLastAcknowledgements;
  while (!connected_ && monotonic_ns() < patience) serve(monotonic_ns() + kMillisecond);
  if (!connected_) give_up("the server does not answer CONNECT");
}

void Publisher::on_connect(mosquitto*, void* self, int code) {
  if (code != 0) give_up(std::string("refused: ") + mosquitto_connack_string(code));
  static_cast<Publisher*>(self)->connected_ = true;
}

void Publisher::on_publish(mosquitto*, void* self, int) {
  ++static_cast<Publisher*>(self)->acknowledged_;
}

void Publisher::check(int code, const char* what) const {
  if (code == MOSQ_ERR_SUCCESS) return;
  give_up(std::string(what) + " (" + options_.host + ":" + std::to_string(options_.port) +
          "): " + mosquitto_strerror(code));
}

void Publisher::serve(std::uint64_t until) {
  mosquitto* const client = client_.get();
  for (;;) {
    const std::uint64_t now = monotonic_ns();
    if (now - looked_after_ > kSecond / 2) {
      looked_after_ = now;
      check(mosquitto_loop_misc(client), "the connection has ended");
    }
    if (now >= until) return;
    const std::uint64_t wait = std::min<std::uint64_t>(until - now, kSecond / 2);
    const timespec timeout{.tv_sec = static_cast<time_t>(wait / kSecond),
                           .tv_nsec = static_cast<long>(wait % kSecond)};
    pollfd socket{.fd = mosquitto_socket(client), .events = POLLIN, .revents = 0};
    if (mosquitto_want_write(client)) socket.events |= POLLOUT;
    if (::ppoll(&socket, 1, &timeout, nullptr) <= 0) continue;
    if ((socket.revents & POLLOUT) != 0) {
      check(mosquitto_loop_write(client, 1), "the connection has ended");
    }
    if ((socket.revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
      check(mosquitto_loop_read(client, 1), "the connection has ended");
    }
  }
}

double Publisher::next_gap() {
  if (options_.sparse) {
    std::uniform_real_distribution<double> gap(options_.sparse->min_ms, options_.sparse->max_ms);
    return gap(random_) * static_cast<double>(kMillisecond);
  }
  return static_cast<double>(kSecond) * options_.publishers / options_.rate;
}

void Publisher::publish() {
  payload_.clear();
  append_stamped(payload_, Stamp::now(), static_cast<std::size_t>(options_.payload));
  check(mosquitto_publish(client_.get(), nullptr, topic_.c_str(), options_.payload, payload_.data(),
                          options_.qos, false),
        "cannot publish");
  ++sent_;
}

void Publisher::run(std::uint64_t begin) {
  ::prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);  // ppoll() wakes when it was asked to
  const std::uint64_t end = begin + static_cast<std::uint64_t>(options_.seconds * kSecond);
  // Publishers are spread over the first gap, so that they do not all send at the same moment.
  std::uniform_real_distribution<double> share(0, 1);
  double due = static_cast<double>(begin) + share(random_) * next_gap();
  while (due < static_cast<double>(end)) {
    const auto at = static_cast<std::uint64_t>(due);
    serve(at);
    const std::uint64_t now = monotonic_ns();
    if (now >= end + kSecond) break;  // hopelessly late: `sent` says so
    if (now > at + kMillisecond) ++behind_;
    publish();
    due += next_gap();
  }
  const std::uint64_t patience = monotonic_ns() + kLastAcknowledgements;
  while (acknowledged_ < sent_ && monotonic_ns() < patience) serve(monotonic_ns() + kMillisecond);
  mosquitto_disconnect(client_.get());
}

}  // namespace bench
