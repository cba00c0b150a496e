#include "dispatch/admission.hpp"

#include <utility>

namespace triggerd::dispatch {

void Admission::hold() {
  held_ = true;
  outage_.reset();
}

void Admission::suspend() {
  hold();
  half_open_ = HalfOpen::none;
}

void Admission::resume() {
  held_ = false;
  half_open_ = HalfOpen::none;
  draining_ = false;
  outage_.reset();
}

void Admission::unquiesce() {
  quiesced_ = false;
  outage_.test_now();
}

bool Admission::begin_half_open() {
  if (!held_ || half_open_ != HalfOpen::none) return false;
  half_open_ = HalfOpen::wanted;
  return true;
}

bool Admission::begin_draining() {
  if (std::exchange(draining_, true)) return false;
  outage_.test_now();
  return true;
}

std::optional<event::Unavailable> Admission::unavailable(bool tested, const std::string& reason,
                                                         Millis retry_after) {
  if (held_) return std::nullopt;
  return outage_.begin(tested, reason, retry_after, draining_);
}

}  // namespace triggerd::dispatch
