// How a worker wakes its host: an eventfd that only these two share.
//
// The worker may do anything with it: write until it is full, read it empty, make it blocking. So
// the host neither reads nor writes it, either of which could block; epoll reports each ring once
// (EPOLLET), whatever the eventfd holds.
#pragma once

#include "base/file.hpp"
#include "base/result.hpp"

namespace triggerd::plugin::isolation {

// [link]
class Doorbell {
 public:
  static Result<Doorbell> make();

  // What the worker writes to.
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
