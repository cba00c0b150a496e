// The whole terminal, for a view that is drawn again and again. What was on it before comes back
// when the object goes, and while the process is stopped (Ctrl-Z).
#pragma once

#include <signal.h>
#include <termios.h>

#include <string>

#include "base/clock.hpp"
#include "base/file.hpp"

namespace triggerctl {

// Made before any other thread, which inherits the blocked signals. [main thread]
class Screen {
 public:
  Screen();
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  // Lines that are too long are cut, and lines that are too many left out, `foot` never.
  void draw(const std::string& text, const std::string& foot);

  enum class Happened { nothing, key, redraw, end };
  // A key, a new size, or a signal that ends; nothing: none within `timeout`. `key` is the byte.
  Happened wait(triggerd::Millis timeout, char& key);

 private:
  void enter();
  void leave();

  sigset_t signals_{};
  triggerd::UniqueFd signal_fd_;
  termios before_{};
  bool keys_ = false;  // standard input is the terminal
};

}  // namespace triggerctl
