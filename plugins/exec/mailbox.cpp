#include "mailbox.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <utility>

namespace exec_plugin {

Mailbox::Mailbox() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!event_.is_open()) throw std::runtime_error("cannot make an eventfd: too many open files?");
}

void Mailbox::post(Item item) {
  {
    const std::lock_guard lock(mutex_);
    mail_.items.push_back(std::move(item));
  }
  wake();
}

void Mailbox::post(PublishResult result) {
  {
    const std::lock_guard lock(mutex_);
    mail_.results.push_back(std::move(result));
  }
  wake();
}

void Mailbox::wake() {
  const std::uint64_t one = 1;
  while (::write(event_.get(), &one, sizeof(one)) < 0 && errno == EINTR) {
  }
}

Mailbox::Mail Mailbox::take() {
  std::uint64_t count = 0;
  while (::read(event_.get(), &count, sizeof(count)) < 0 && errno == EINTR) {
  }
  const std::lock_guard lock(mutex_);
  return std::exchange(mail_, {});
}

}  // namespace exec_plugin
