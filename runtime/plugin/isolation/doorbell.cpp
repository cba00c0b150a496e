#include "plugin/isolation/doorbell.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <utility>

#include "base/passing.hpp"

namespace triggerd::plugin::isolation {

Result<Doorbell> Doorbell::make() {
  UniqueFd bell(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  UniqueFd rung(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {}};
  if (!bell || !rung || ::epoll_ctl(rung.get(), EPOLL_CTL_ADD, bell.get(), &event) != 0) {
    return fail_with(errno, "cannot create an eventfd for a worker process");
  }
  return Doorbell(std::move(bell), std::move(rung));
}

void Doorbell::heard() {
  epoll_event event{};
  static_cast<void>(::epoll_wait(rung_.get(), &event, 1, 0));
}

}  // namespace triggerd::plugin::isolation
