// What a worker rings to wake its host: an eventfd that those two share, and nobody else.
//
// The worker may do with it what it likes: write until it is full, read it empty, make it wait. So
// the host neither reads nor writes it, which could then hold it up: epoll tells each ring once
// (EPOLLET), whatever is in it.
#pragma once

#include "base/file.hpp"
#include "base/result.hpp"

namespace triggerd::plugin::isolation {

// [link]
class Doorbell {
 public:
  static Result<Doorbell> make();

  // The worker's end.
  int bell() const { return bell_.get(); }
  // Readable once it has been rung, until heard().
  int fd() const { return rung_.get(); }
  void heard();

 private:
  Doorbell(UniqueFd bell, UniqueFd rung) : bell_(std::move(bell)), rung_(std::move(rung)) {}

  UniqueFd bell_;
  UniqueFd rung_;
};

}  // namespace triggerd::plugin::isolation
