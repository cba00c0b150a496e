#include "mqtt/wire/receiver.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <utility>

#include "base/deferred.hpp"
#include "mqtt/wire/table.hpp"

namespace triggerd::mqtt::wire {
namespace {

constexpr std::size_t kSpareBuffers = 4;

// An eventfd that is readable when the receive thread is to look at its links again.
class Waker {
 public:
  Waker() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  int fd() const { return fd_; }
  void wake() {
    if (pending_.exchange(true)) return;
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(fd_, &one, sizeof one);
  }
  void clear() {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = ::read(fd_, &count, sizeof count);
    pending_ = false;
  }
  std::atomic<bool> for_library{false};

 private:
  const int fd_;
  std::atomic<bool> pending_{false};
};

// Never destroyed: the library's threads may outlive main().
Waker& waker() {
  static auto* const made = new Waker;
  return *made;
}

thread_local bool reads = false;

// What the library is told as revents: that it has something to read, or that the connection has
// ended, which it looks at whatever it waits for.
short for_library(const Link& link) {
  if (link.ended()) return POLLIN | POLLHUP;
  return link.library_has() && !link.paused() ? POLLIN : 0;
}

}  // namespace

void wake_receiver() {
  waker().wake();
}

void wake_library() {
  waker().for_library = true;
  waker().wake();
}

// The library starts the thread, so this is where its receiver is put together.
Receiver& Receiver::of_this_thread() {
  thread_local Receiver receiver(system_clock());
  return receiver;
}

bool Receiver::is_receive_thread() {
  return reads;
}

void Receiver::is_this_thread() {
  reads = true;
}

std::unique_ptr<char[]> Receiver::take_buffer(std::size_t size) {
  if (buffers_.empty()) return std::unique_ptr<char[]>(new char[size]);
  std::unique_ptr<char[]> buffer = std::move(buffers_.back());
  buffers_.pop_back();
  return buffer;
}

void Receiver::give_buffer(std::unique_ptr<char[]> buffer) {
  if (buffers_.size() < kSpareBuffers) buffers_.push_back(std::move(buffer));
}

// The library passes its descriptors anew with each poll; their links are looked up when they
// change.
void Receiver::refresh(const pollfd* fds, nfds_t count) {
  bool same = links_.size() == count;
  for (nfds_t i = 0; same && i < count; ++i) same = polled_[i].fd == fds[i].fd;
  polled_.assign(fds, fds + count);
  // A number that was closed and opened again is another link.
  for (nfds_t i = 0; same && i < count; ++i) same = links_[i] && !links_[i]->gone();
  if (same) return;
  links_.clear();
  for (nfds_t i = 0; i < count; ++i) links_.push_back(find_link(fds[i].fd));
  next_look_ = {};
}

int Receiver::poll(pollfd* fds, nfds_t count, int timeout_ms) {
  reads = true;
  const bool for_reading =
      std::any_of(fds, fds + count, [](const pollfd& p) { return (p.events & POLLIN) != 0; });
  if (!for_reading) return answer_writable(fds, count);
  refresh(fds, count);
  take_what_is_here();
  if (const int ready = answer_library(fds, count); ready > 0) return ready;
  return wait(fds, count, timeout_ms);
}

// The library asks this before each packet, and reads only from sockets that it could write to. An
// established connection that nobody waits to write to counts as writable, since a write that finds
// no room is queued.
int Receiver::answer_writable(pollfd* fds, nfds_t count) {
  bool known = links_.size() == count;
  for (nfds_t i = 0; known && i < count; ++i) {
    const Link* link = links_[i].get();
    known = link != nullptr && !link->gone() && link->fd() == fds[i].fd && link->established() &&
            !link->library_waits();
  }
  if (!known) {
    const int got = ::poll(fds, count, 0);
    for (nfds_t i = 0; i < count; ++i) {
      if (!find_link(fds[i].fd)) fds[i].revents = 0;  // not connecting yet
    }
    return got;
  }
  for (nfds_t i = 0; i < count; ++i) fds[i].revents = POLLOUT;
  return static_cast<int>(count);
}

// Takes what was behind a packet that the library has read by now.
void Receiver::take_what_is_here() {
  Deferred deferred(clock_);  // runs once all batches are handed over and no lock is held
  for (const std::shared_ptr<Link>& link : links_) {
    if (!link || !link->may_take() || link->paused() || link->library_has()) continue;
    link->take();
    if (link->has_batch()) link->end_batch();
  }
  deferred.run();
}

int Receiver::answer_library(pollfd* fds, nfds_t count) const {
  int ready = 0;
  for (nfds_t i = 0; i < count; ++i) {
    fds[i].revents = links_[i] ? for_library(*links_[i]) : short{0};
    ready += fds[i].revents != 0 ? 1 : 0;
  }
  return ready;
}

void Receiver::look_at_links(Monotonic now) {
  if (now < next_look_) return;
  next_look_ = Monotonic::max();
  for (const std::shared_ptr<Link>& link : links_) {
    if (link) next_look_ = std::min(next_look_, link->look(now));
  }
}

int Receiver::left_ms(Monotonic until) const {
  const auto left = std::chrono::ceil<Millis>(until - clock_.now()).count();
  return static_cast<int>(std::max<std::int64_t>(left, 0));
}

int Receiver::time_to_wait(Monotonic until) const {
  for (const std::shared_ptr<Link>& link : links_) {
    if (link && link->more_without_poll() && !link->paused()) return 0;
  }
  return left_ms(std::min(until, next_look_));
}

// Takes what has come. Returns what the library is told besides what it has to read.
short Receiver::serve(Link& link, int events, int wanted, bool woken) {
  const bool readable = (events & POLLIN) != 0 || link.more_without_poll();
  if (!link.can_receive()) {
    return static_cast<short>(events & (wanted | POLLERR | POLLHUP | POLLNVAL));
  }
  if (readable) {
    link.receive();
    // A batch is what one read has brought, so that a trigger that is full can say so in between.
    link.end_batch();
  } else if (woken && link.may_take()) {
    link.take();  // it may have been resumed while packets were here
    if (link.has_batch()) link.end_batch();
  }
  // Writability is for us: the library is told only what it has asked for. What has come before an
  // end is taken first.
  const int end = readable ? 0 : POLLERR | POLLHUP;
  return static_cast<short>(events & ((wanted & ~POLLIN) | POLLNVAL | end));
}

int Receiver::wait(pollfd* fds, nfds_t count, int timeout_ms) {
  const Monotonic until = clock_.now() + Millis(std::max(timeout_ms, 0));
  for (;;) {
    look_at_links(clock_.now());
    asked_.assign(fds, fds + count);
    for (nfds_t i = 0; i < count; ++i) {
      const Link* link = links_[i].get();
      if (link == nullptr) {
        // It was made and does not connect yet: poll(2) would call it closed. Its connect wakes us.
        asked_[i].fd = -1;
        continue;
      }
      if (link->paused() || link->clogged()) asked_[i].events = 0;
      // If the library has begun a packet, room is for the library first; ours leave after that.
      if (link->we_wait() && !link->library_waits()) asked_[i].events |= POLLOUT;
      if (link->connect_may_be_unseen()) asked_[i].events |= POLLOUT;
      if (asked_[i].events == 0) asked_[i].fd = -1;
    }
    asked_.push_back({.fd = waker().fd(), .events = POLLIN, .revents = 0});
    const int got = ::poll(asked_.data(), asked_.size(), time_to_wait(until));
    if (got < 0) return got;
    const bool woken = asked_.back().revents != 0;
    if (woken) waker().clear();
    bool shown = false;
    bool gone = false;
    Deferred deferred(clock_);
    for (nfds_t i = 0; i < count; ++i) {
      const auto events = static_cast<short>(asked_[i].fd < 0 ? 0 : asked_[i].revents);
      Link* const link = links_[i].get();
      fds[i].revents = 0;
      if (link == nullptr) continue;
      gone = gone || link->gone();
      if (link->we_wait() && ((events & POLLOUT) != 0 || woken)) link->flush();
      if ((events & POLLOUT) != 0 && link->connect_may_be_unseen()) {
        link->connect_was_shown();
        shown = true;
      }
      if (!link->paused() || link->ended()) {
        fds[i].revents = serve(*link, events, fds[i].events, woken);
      }
    }
    deferred.run();
    int ready = 0;
    for (nfds_t i = 0; i < count; ++i) {
      if (links_[i]) fds[i].revents = static_cast<short>(fds[i].revents | for_library(*links_[i]));
      ready += fds[i].revents != 0 ? 1 : 0;
    }
    // The library has to add new connections and find them connected: it asks again with them.
    const bool asked = woken && waker().for_library.exchange(false);
    asks_again_ = ready == 0 && asked;
    if (ready > 0 || asked || shown || gone || timeout_ms <= 0 || clock_.now() >= until) {
      return ready;
    }
  }
}

void Receiver::sleep(int timeout_ms) {
  // The library sleeps after each poll that found nothing, and would miss a new connection.
  if (std::exchange(asks_again_, false)) return;
  std::vector<pollfd> fds = polled_;
  for (pollfd& p : fds) p.revents = 0;
  // Descriptors that were closed meanwhile would end the wait at once, and we would not sleep at
  // all.
  const Monotonic until = clock_.now() + Millis(timeout_ms);
  std::erase_if(fds, [](const pollfd& p) { return find_link(p.fd) == nullptr; });
  refresh(fds.data(), fds.size());
  take_what_is_here();
  if (answer_library(fds.data(), fds.size()) > 0) return;
  const int ready = wait(fds.data(), fds.size(), timeout_ms);
  const bool broken = std::any_of(fds.begin(), fds.end(),
                                  [](const pollfd& p) { return (p.revents & POLLNVAL) != 0; });
  if (ready > 0 && broken) {
    while (clock_.now() < until && ::poll(nullptr, 0, left_ms(until)) < 0) {
    }
  }
}

}  // namespace triggerd::mqtt::wire
