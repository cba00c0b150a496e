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

// An eventfd that is readable while the receive thread is to look at its links again.
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

using Clock = std::chrono::steady_clock;

int left_ms(Clock::time_point until) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
  return static_cast<int>(std::max<std::int64_t>(left, 0));
}

}  // namespace

void wake_receiver() {
  waker().wake();
}

Receiver& Receiver::of_this_thread() {
  thread_local Receiver receiver;
  return receiver;
}

bool Receiver::is_receive_thread() {
  return reads;
}

void Receiver::is_this_thread() {
  reads = true;
}

Link& link_to_read(int fd, std::shared_ptr<Link>& keep) {
  if (Receiver::is_receive_thread()) {
    const auto& last = Receiver::of_this_thread().current();
    if (last && last->fd() == fd && !last->gone()) return *last;
  }
  keep = link_of(fd);
  return *keep;
}

void Receiver::reading(Link& link) {
  reads = true;
  if (current_.get() != &link) current_ = link.shared_from_this();
  if (!touched_.empty() && touched_.back().get() == &link) return;
  const auto known = std::find(touched_.begin(), touched_.end(), current_);
  if (known == touched_.end()) touched_.push_back(current_);
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

void Receiver::end_batch() {
  Deferred deferred;  // what is left for when all are handed over, and no lock is held
  for (const std::shared_ptr<Link>& link : touched_) {
    link->end_batch();
    link->shed();
  }
  touched_.clear();
  deferred.run();
}

// The library copies its descriptors for each poll; who they are is looked up when they change.
void Receiver::refresh(const pollfd* fds, nfds_t count) {
  bool same = links_.size() == count;
  for (nfds_t i = 0; same && i < count; ++i) same = polled_[i].fd == fds[i].fd;
  polled_.assign(fds, fds + count);
  // A number that was closed and opened again is another link.
  for (nfds_t i = 0; same && i < count; ++i) same = links_[i] && !links_[i]->gone();
  if (same) return;
  links_.clear();
  for (nfds_t i = 0; i < count; ++i) links_.push_back(find_link(fds[i].fd));
}

int Receiver::poll(pollfd* fds, nfds_t count, int timeout_ms) {
  reads = true;
  const bool for_reading =
      std::any_of(fds, fds + count, [](const pollfd& p) { return (p.events & POLLIN) != 0; });
  if (!for_reading) return answer_writable(fds, count);
  forget_refusal();
  refresh(fds, count);
  if (const int ready = answer_buffered(fds, count); ready > 0) return ready;
  end_batch();
  return wait(fds, count, timeout_ms);
}

// The library asks this before each packet, and reads only where it might write. An established
// connection nobody waits to write to counts as writable: a write that finds no room is queued.
int Receiver::answer_writable(pollfd* fds, nfds_t count) {
  bool known = links_.size() == count;
  for (nfds_t i = 0; known && i < count; ++i) {
    const Link* link = links_[i].get();
    known = link != nullptr && !link->gone() && link->fd() == fds[i].fd && link->established() &&
            !link->library_waits();
  }
  if (!known) return ::poll(fds, count, 0);
  for (nfds_t i = 0; i < count; ++i) fds[i].revents = POLLOUT;
  return static_cast<int>(count);
}

int Receiver::answer_buffered(pollfd* fds, nfds_t count) const {
  int ready = 0;
  for (nfds_t i = 0; i < count; ++i) {
    const Link* link = links_[i].get();
    const bool has = link != nullptr && link->buffered() > 0 && !link->paused();
    fds[i].revents = has ? POLLIN : 0;
    ready += has ? 1 : 0;
  }
  return ready;
}

int Receiver::wait(pollfd* fds, nfds_t count, int timeout_ms) {
  const Clock::time_point until = Clock::now() + std::chrono::milliseconds(std::max(timeout_ms, 0));
  for (;;) {
    asked_.assign(fds, fds + count);
    for (nfds_t i = 0; i < count; ++i) {
      const Link* link = links_[i].get();
      if (link == nullptr) continue;
      if (link->paused()) asked_[i].events = 0;
      // Room is for the library first, where it has begun a packet; ours leave after that.
      if (link->we_wait() && !link->library_waits()) asked_[i].events |= POLLOUT;
      if (link->connect_may_be_unseen()) asked_[i].events |= POLLOUT;
      if (asked_[i].events == 0) asked_[i].fd = -1;
    }
    asked_.push_back({.fd = waker().fd(), .events = POLLIN, .revents = 0});
    const int got = ::poll(asked_.data(), asked_.size(), timeout_ms <= 0 ? 0 : left_ms(until));
    if (got < 0) return got;
    const bool woken = asked_.back().revents != 0;
    if (woken) waker().clear();
    int ready = 0;
    bool connected = false;
    for (nfds_t i = 0; i < count; ++i) {
      const auto events = static_cast<short>(asked_[i].fd < 0 ? 0 : asked_[i].revents);
      Link* const link = links_[i].get();
      if (link != nullptr && link->we_wait() && ((events & POLLOUT) != 0 || woken)) link->flush();
      if (link != nullptr && (events & POLLOUT) != 0 && link->connect_may_be_unseen()) {
        link->connect_was_shown();
        connected = true;
      }
      // Writability is for us; what the library has not asked for it is not told.
      fds[i].revents = static_cast<short>(events & (fds[i].events | POLLERR | POLLHUP | POLLNVAL));
      ready += fds[i].revents != 0 ? 1 : 0;
    }
    // A link that was resumed may have bytes here already.
    if (ready == 0 && woken) ready = answer_buffered(fds, count);
    // New connections are for the library to add, and to find connected: it asks again with them.
    asks_again_ = ready == 0 && woken;
    if (ready > 0 || woken || connected || timeout_ms <= 0 || Clock::now() >= until) return ready;
  }
}

void Receiver::sleep(int timeout_ms) {
  end_batch();
  // The library sleeps after each poll that found nothing; of a new connection it would not know.
  if (std::exchange(asks_again_, false)) return;
  std::vector<pollfd> fds = polled_;
  for (pollfd& p : fds) p.revents = 0;
  // Descriptors that were closed meanwhile would end the wait at once, and nothing would sleep.
  const Clock::time_point until = Clock::now() + std::chrono::milliseconds(timeout_ms);
  std::erase_if(fds, [](const pollfd& p) { return find_link(p.fd) == nullptr; });
  refresh(fds.data(), fds.size());
  if (answer_buffered(fds.data(), fds.size()) > 0) return;
  const int ready = wait(fds.data(), fds.size(), timeout_ms);
  const bool broken = std::any_of(fds.begin(), fds.end(),
                                  [](const pollfd& p) { return (p.revents & POLLNVAL) != 0; });
  if (ready > 0 && broken) {
    while (Clock::now() < until && ::poll(nullptr, 0, left_ms(until)) < 0) {
    }
  }
}

}  // namespace triggerd::mqtt::wire
